//! A shop's own network: a namespace with one cable to the devices (`lan`) and one to the
//! world (`wan`), and what happens to the second. Needs root and iproute2, nftables for loss
//! and silence, and for delay a kernel with netem; [`Net::missing`] says what is not there.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use anyhow::{Context, bail};

use super::daemon::Spec;

/// What happens to the cable to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// So many of a hundred packets are lost, each way.
    Loss(u8),
    /// Nothing leaves; answers would arrive.
    UpSilent,
    /// Nothing arrives; everything leaves.
    DownSilent,
    /// The cable is out.
    Unplugged,
    /// So many bits a second each way, behind a short queue.
    Rate(u32),
    /// Late, out of order (netem).
    Delay { ms: u32, reorder: u8 },
    /// The shop gets another address; its old connections are nobody's.
    NewAddress,
}

/// The network. Dropped, it is taken down.
#[derive(Debug)]
pub struct Net {
    name: String,
    /// This machine's end of the cable to the devices.
    pub lan: Ipv4Addr,
    /// This machine's end of the cable to the world.
    pub wan: Ipv4Addr,
    host_wan: String,
    has_second_address: bool,
}

impl Net {
    /// Why shops cannot have networks of their own here; `None` when they can.
    #[must_use]
    pub fn missing() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("not root".to_owned());
        }
        let lacks = |program: &&str| run(program, &["-V"]).is_err();
        if let Some(program) = ["ip", "tc", "nft"].iter().find(|program| lacks(program)) {
            return Some(format!("{program} is not installed"));
        }
        let probe = format!("fournil-probe-{}", std::process::id());
        let made = run("ip", &["netns", "add", &probe]);
        let _ = run("ip", &["netns", "del", &probe]);
        made.err().map(|error| format!("no network namespaces: {error:#}"))
    }

    /// Whether this kernel can delay packets.
    #[must_use]
    pub fn can_delay(&self) -> bool {
        let can =
            self.inside("tc", &["qdisc", "replace", "dev", "wan", "root", "netem", "delay", "1ms"]);
        let _ = self.inside("tc", &["qdisc", "del", "dev", "wan", "root"]);
        can.is_ok()
    }

    /// Makes the network of the shop of that number.
    pub fn make(number: u8) -> anyhow::Result<Self> {
        let process = std::process::id();
        let third = u8::try_from(process % 250)?;
        let name = format!("fournil-{process}-{number}");
        let (host_lan, host_wan) =
            (format!("fl{number}-{process}"), format!("fw{number}-{process}"));
        let first = number * 8 + 1;
        let lan = Ipv4Addr::new(10, 213, third, first);
        let wan = Ipv4Addr::new(10, 214, third, first);
        run("ip", &["netns", "add", &name])?;
        let net = Self { name, lan, wan, host_wan, has_second_address: false };
        for (end, host, address) in [("lan", &host_lan, lan), ("wan", &net.host_wan, wan)] {
            let peer = ["peer", "name", end, "netns", &net.name];
            run("ip", &[&["link", "add", host, "type", "veth"][..], &peer[..]].concat())?;
            run("ip", &["address", "add", &format!("{address}/29"), "dev", host])?;
            run("ip", &["link", "set", host, "up"])?;
            net.inside("ip", &["address", "add", &format!("{}/29", next(address, 1)), "dev", end])?;
            net.inside("ip", &["link", "set", end, "up"])?;
        }
        net.inside("ip", &["link", "set", "lo", "up"])?;
        net.inside("nft", &["add table inet weather"])?;
        let out = "add chain inet weather up { type filter hook output priority 0 ; }";
        net.inside("nft", &[out])?;
        let down = "add chain inet weather down { type filter hook input priority 0 ; }";
        net.inside("nft", &[down])?;
        // The cloud's certificate says localhost, and so does everybody else here.
        std::fs::create_dir_all(net.etc())?;
        std::fs::write(format!("{}/hosts", net.etc()), format!("{wan} localhost\n"))?;
        Ok(net)
    }

    /// The same program, run inside.
    #[must_use]
    pub fn inside_of(&self, spec: Spec) -> Spec {
        let program = spec.program.display().to_string();
        let mut args = vec!["netns".into(), "exec".into(), self.name.clone(), program];
        args.extend(spec.args);
        Spec { program: "ip".into(), args, ..spec }
    }

    /// A free port on a cable's end of this machine.
    #[must_use]
    pub fn listen_on(address: Ipv4Addr) -> SocketAddr {
        SocketAddr::from((address, 0))
    }

    /// Spoils the cable to the world.
    pub fn spoil(&mut self, weather: Weather) -> anyhow::Result<()> {
        match weather {
            Weather::Loss(percent) => {
                let dropped = format!("numgen random mod 100 < {percent} drop");
                self.rule("up", "oifname", &dropped)?;
                self.rule("down", "iifname", &dropped)
            }
            Weather::UpSilent => self.rule("up", "oifname", "drop"),
            Weather::DownSilent => self.rule("down", "iifname", "drop"),
            Weather::Unplugged => self.inside("ip", &["link", "set", "wan", "down"]),
            Weather::Rate(bits) => {
                let rate = format!("{bits}bit");
                self.queue(&["tbf", "rate", &rate, "burst", "4kb", "latency", "500ms"])
            }
            Weather::Delay { ms, reorder } => {
                let (delay, jitter) = (format!("{ms}ms"), format!("{}ms", ms / 2));
                let percent = format!("{reorder}%");
                self.queue(&["netem", "delay", &delay, &jitter, "reorder", &percent])
            }
            Weather::NewAddress => self.change_address(),
        }
    }

    /// Fine weather again; the address stays as it is now.
    pub fn heal(&self) {
        let _ = self.inside("nft", &["flush table inet weather"]);
        let _ = self.inside("tc", &["qdisc", "del", "dev", "wan", "root"]);
        let _ = run("tc", &["qdisc", "del", "dev", &self.host_wan, "root"]);
        let _ = self.inside("ip", &["link", "set", "wan", "up"]);
    }

    fn rule(&self, chain: &str, which: &str, what: &str) -> anyhow::Result<()> {
        self.inside("nft", &[&format!("add rule inet weather {chain} {which} wan {what}")])
    }

    fn queue(&self, discipline: &[&str]) -> anyhow::Result<()> {
        let here = ["qdisc", "replace", "dev", &self.host_wan, "root"];
        run("tc", &[&here[..], discipline].concat())?;
        let there = ["qdisc", "replace", "dev", "wan", "root"];
        self.inside("tc", &[&there[..], discipline].concat())
    }

    fn change_address(&mut self) -> anyhow::Result<()> {
        let (old, new) = if self.has_second_address { (2, 1) } else { (1, 2) };
        let with_mask = |step| format!("{}/29", next(self.wan, step));
        // In this order: the last address of a network takes those behind it away with it.
        self.inside("ip", &["address", "del", &with_mask(old), "dev", "wan"])?;
        self.inside("ip", &["address", "add", &with_mask(new), "dev", "wan"])?;
        self.has_second_address = !self.has_second_address;
        Ok(())
    }

    fn inside(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        run("ip", &[&["netns", "exec", &self.name, program][..], args].concat())
    }

    fn etc(&self) -> String {
        format!("/etc/netns/{}", self.name)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // The cables go with their ends.
        let _ = run("ip", &["netns", "del", &self.name]);
        let _ = std::fs::remove_dir_all(self.etc());
    }
}

fn next(address: Ipv4Addr, step: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits() + step)
}

fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(args).output().with_context(|| program.to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{program} {}: {said}", args.join(" "));
    }
    Ok(())
}

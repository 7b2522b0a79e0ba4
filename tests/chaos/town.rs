//! The town: one PostgreSQL, two cloud nodes, a main shop that sells at a till, and branches
//! with gateways, clocks, printers and, where it can be, networks of their own.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use fournil_cloud::db::{CompanyId, Db, DbOptions};
use fournil_tests::clock_sim::{ClockSim, Profile};
use fournil_tests::printer_sim::{self, PrinterSim};
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::net::Net;
use fournil_tests::world::proxy::Proxy;
use fournil_tests::world::shop::{
    COMM_KEY, PATIENCE, Shop, cloud_spec, enrol, enrolment_code_for, free_port, gateway_spec,
    write_cloud_config, write_gateway_config,
};
use sqlx::Row;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use uuid::Uuid;

/// A branch: a gateway with its devices, its wire and its disk.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) gateway: Daemon,
    pub(crate) clock: ClockSim,
    pub(crate) printer: PrinterSim,
    pub(crate) wire: Proxy,
    pub(crate) disk: Disk,
    // Dropped last: the processes inside go first.
    pub(crate) net: Option<Net>,
    _dir: TempDir,
}

/// Where a branch's journal lies: a small disk of its own where it can be mounted.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
    pub(crate) is_small: bool,
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.folder).output();
        }
    }
}

impl Disk {
    fn make(dir: &TempDir, wants_small: bool) -> anyhow::Result<Self> {
        let folder = dir.path().join("disk");
        std::fs::create_dir(&folder)?;
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "fournil-chaos"]).arg(&folder);
        let is_small = wants_small && mount.output().is_ok_and(|output| output.status.success());
        Ok(Self { folder, is_small })
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.folder.join("ballast"))?;
        for bytes in [64 * 1024, 1024, 1] {
            while ballast.write_all(&vec![7; bytes]).is_ok() {}
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        let _ = std::fs::remove_file(self.folder.join("ballast"));
    }
}

/// The town. Its parts are dropped in order, processes before networks.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) branches: Vec<Branch>,
    pub(crate) second: Daemon,
    pub(crate) second_address: std::net::SocketAddr,
    pub(crate) shop: Shop,
    pub(crate) db: Db,
    pub(crate) company: CompanyId,
    _second_dir: TempDir,
}

/// What a process held: name, resident bytes, open files.
pub(crate) type Holdings = Vec<(String, u64, usize)>;

impl Town {
    pub(crate) async fn build(cluster_url: &str, branches: u8) -> anyhow::Result<Self> {
        let shop = Shop::open_in(cluster_url).await?;
        let second_dir = tempfile::tempdir()?;
        let second_address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let tls = shop.dir.path().join("tls");
        let (dir, wire) = (second_dir.path(), shop.wire.address);
        write_cloud_config(dir, &tls, second_address, wire, &shop.database_url)?;
        let mut second = Daemon::start(cloud_spec(dir, &["serve"])?)?;
        second.wait_for_line("ready:", PATIENCE).await?;
        let missing = Net::missing();
        match &missing {
            None => println!("chaos: every branch has a network namespace of its own"),
            Some(why) => println!(
                "chaos: !!! NO NETWORK NAMESPACES ({why}): packets are not lost, cables not \
                 pulled and addresses not changed in this run; the proxy alone spoils the wires"
            ),
        }
        let mut made = Vec::new();
        for number in 0..branches {
            made.push(Branch::open(&shop, number, missing.is_none()).await?);
        }
        let connect = PgConnectOptions::from_str(&shop.database_url)?;
        let db = Db::lazy(connect, &DbOptions::default());
        let company = sqlx::raw_sql("select company_id from companies").fetch_one(&shop.db).await?;
        let company = CompanyId(company.get("company_id"));
        let town = Self {
            branches: made,
            second,
            second_address,
            shop,
            db,
            company,
            _second_dir: second_dir,
        };
        town.shop.until("every gateway is connected", ALL_CONNECTED).await?;
        Ok(town)
    }

    /// The id of a gateway by its name.
    pub(crate) async fn gateway_id(&self, name: &str) -> anyhow::Result<Uuid> {
        let rows = sqlx::raw_sql("select name, gateway_id from gateways").fetch_all(&self.shop.db);
        let rows = rows.await?;
        let found = rows.iter().find(|row| row.get::<String, _>("name") == name);
        Ok(found.context("a gateway of that name")?.get("gateway_id"))
    }

    /// Every clock with its gateway's name.
    pub(crate) fn clocks(&self) -> Vec<&ClockSim> {
        let branches = self.branches.iter().map(|branch| &branch.clock);
        std::iter::once(&self.shop.clock).chain(branches).collect()
    }

    /// Every printer with its gateway's name.
    pub(crate) fn printers(&self) -> Vec<(&str, &PrinterSim)> {
        let branches = self.branches.iter().map(|branch| (branch.name.as_str(), &branch.printer));
        std::iter::once(("Magasin", &self.shop.printer)).chain(branches).collect()
    }

    pub(crate) fn punches_made(&self) -> usize {
        self.clocks().iter().map(|clock| clock.punches().len()).sum()
    }

    /// What every process of the product holds now.
    pub(crate) fn holdings(&self) -> Holdings {
        let branches = self.branches.iter().map(|branch| (branch.name.as_str(), &branch.gateway));
        let fixed = [
            ("cloud", &self.shop.cloud),
            ("second cloud", &self.second),
            ("Magasin", &self.shop.gateway),
        ];
        fixed
            .into_iter()
            .chain(branches)
            .map(|(name, daemon)| {
                let (bytes, files) = daemon.holds().expect("it runs");
                (name.to_owned(), bytes, files)
            })
            .collect()
    }

    /// The ends of all logs, for the message of a failed run.
    pub(crate) fn logs(&self) -> String {
        let fixed = [
            ("Magasin", &self.shop.gateway),
            ("cloud", &self.shop.cloud),
            ("second cloud", &self.second),
        ];
        let branches = self.branches.iter().map(|branch| (branch.name.as_str(), &branch.gateway));
        let all = fixed.into_iter().chain(branches);
        let ends = all.map(|(name, daemon)| format!("-- {name} --\n{}", daemon.log_tail()));
        ends.collect::<Vec<_>>().join("\n")
    }
}

const ALL_CONNECTED: &str = "select count(*) = (select count(*) from gateways where state = 'active') \
                             as ok from gateway_sessions where ended_at is null";

impl Branch {
    async fn open(shop: &Shop, number: u8, has_net: bool) -> anyhow::Result<Self> {
        let name = format!("Annexe {}", number + 1);
        let dir = tempfile::tempdir()?;
        let net = if has_net { Some(Net::make(number)?) } else { None };
        let on = |address: Option<std::net::Ipv4Addr>| {
            Net::listen_on(address.unwrap_or(std::net::Ipv4Addr::LOCALHOST))
        };
        let lan = on(net.as_ref().map(|net| net.lan));
        let wire = Proxy::start_on(on(net.as_ref().map(|net| net.wan)), shop.address).await?;
        let clock = ClockSim::start(Profile {
            listen: lan,
            comm_key: COMM_KEY,
            punches: 0,
            serial: format!("SIM000000000{}", number + 2),
            ..Profile::default()
        })
        .await?;
        let paper =
            printer_sim::Args { tcp: Some(lan), speed_mm_s: 400, ..printer_sim::Args::for_tests() };
        let printer = PrinterSim::start(paper).await?;
        let disk = Disk::make(&dir, has_net)?;
        let state = disk.folder.join("gateway");
        write_gateway_config(dir.path(), &state, &clock, &printer)?;
        let inside = |args: &[&str]| {
            let spec = gateway_spec(dir.path(), args)?;
            anyhow::Ok(net.as_ref().map_or(spec.clone(), |net| net.inside_of(spec)))
        };
        let url = format!("https://localhost:{}", wire.address.port());
        let code = enrolment_code_for(shop.dir.path(), &name).await?;
        let ca = shop.dir.path().join("tls/ca.pem").display().to_string();
        enrol(inside(&["enrol", "--url", &url, "--code", &code, "--ca", &ca])?).await?;
        let gateway = Daemon::start(inside(&["run"])?)?;
        Ok(Self { name, gateway, clock, printer, wire, disk, net, _dir: dir })
    }
}

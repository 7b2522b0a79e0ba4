//! What breaks, when, and how it heals. The schedule is drawn from the seed; several things may
//! be broken at once, but not one thing twice.

use std::collections::BTreeMap;
use std::time::Duration;

use fournil_tests::world::cluster::Cluster;
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::net::Weather;
use fournil_tests::world::proxy::{Proxy, Way, Wire};
use tokio::time::{Instant, sleep_until};

use super::Dice;
use super::town::Town;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    KillGateway,
    KillCloud,
    KillDatabase,
    FreezeGateway,
    FreezeCloud,
    CutWire,
    MidFrame,
    StallWire,
    SlowWire,
    HalfOpenUp,
    HalfOpenDown,
    OtherNode,
    PacketLoss,
    UpSilent,
    DownSilent,
    Unplugged,
    LowRate,
    Delay,
    NewAddress,
    DiskFull,
    PaperOut,
    PrinterPower,
}

const ALL: [Kind; 22] = [
    Kind::KillGateway,
    Kind::MidFrame,
    Kind::KillCloud,
    Kind::PacketLoss,
    Kind::DiskFull,
    Kind::KillDatabase,
    Kind::StallWire,
    Kind::Unplugged,
    Kind::FreezeGateway,
    Kind::NewAddress,
    Kind::PaperOut,
    Kind::CutWire,
    Kind::UpSilent,
    Kind::PrinterPower,
    Kind::SlowWire,
    Kind::OtherNode,
    Kind::FreezeCloud,
    Kind::DownSilent,
    Kind::LowRate,
    Kind::HalfOpenUp,
    Kind::Delay,
    Kind::HalfOpenDown,
];

/// Where it broke: 0 is the main shop, the branches follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Gateway(usize),
    Cloud(usize),
    Database,
    Wire(usize),
    Net(usize),
    Disk(usize),
    Printer(usize),
}

#[derive(Debug)]
struct Broken {
    part: Part,
    kind: Kind,
    heals: Instant,
}

/// The one who breaks things, and what was broken so far.
#[derive(Debug)]
pub(crate) struct Chaos {
    dice: Dice,
    broken: Vec<Broken>,
    counts: BTreeMap<Kind, usize>,
    /// Deaths of gateways and printers, by shop.
    deaths: BTreeMap<usize, usize>,
    /// Kinds this machine cannot do, told once.
    impossible: Vec<Kind>,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed | 1),
            broken: Vec::new(),
            counts: BTreeMap::new(),
            deaths: BTreeMap::new(),
            impossible: Vec::new(),
        }
    }

    /// Breaks and heals for so long. Each kind once, then as the dice fall.
    pub(crate) async fn rage(
        &mut self,
        town: &mut Town,
        cluster: &Cluster,
        within: Duration,
    ) -> anyhow::Result<()> {
        let over = Instant::now() + within;
        let mut next = Instant::now();
        let mut index = 0;
        loop {
            let heals = self.broken.iter().map(|broken| broken.heals).min();
            let wake = heals.map_or(next, |heals| heals.min(next));
            if wake >= over {
                return Ok(());
            }
            sleep_until(wake).await;
            while let Some(at) = self.broken.iter().position(|b| b.heals <= Instant::now()) {
                let broken = self.broken.swap_remove(at);
                heal(town, &broken)?;
            }
            if Instant::now() >= next {
                let kind = match ALL.get(index) {
                    Some(kind) => *kind,
                    None => ALL[usize::try_from(self.dice.below(ALL.len() as u64))?],
                };
                index += 1;
                self.strike(town, cluster, kind).await?;
                next = Instant::now() + self.dice.millis(200, 1_400);
            }
        }
    }

    async fn strike(
        &mut self,
        town: &mut Town,
        cluster: &Cluster,
        kind: Kind,
    ) -> anyhow::Result<()> {
        let shops = town.branches.len() as u64 + 1;
        let shop = usize::try_from(self.dice.below(shops))?;
        // Networks and small disks are the branches' own.
        let branch = usize::try_from(1 + self.dice.below(shops - 1))?;
        let (part, lasts) = match kind {
            Kind::KillGateway => (Part::Gateway(shop), self.dice.millis(10, 1_500)),
            Kind::FreezeGateway => (Part::Gateway(shop), self.dice.millis(500, 6_000)),
            Kind::KillCloud => (Part::Cloud(shop % 2), self.dice.millis(10, 2_000)),
            Kind::FreezeCloud => (Part::Cloud(shop % 2), self.dice.millis(500, 6_000)),
            Kind::KillDatabase => (Part::Database, self.dice.millis(10, 1_000)),
            Kind::MidFrame | Kind::OtherNode => (Part::Wire(shop), Duration::ZERO),
            Kind::HalfOpenUp | Kind::HalfOpenDown => {
                (Part::Wire(shop), self.dice.millis(2_000, 20_000))
            }
            Kind::CutWire | Kind::StallWire | Kind::SlowWire => {
                (Part::Wire(shop), self.dice.millis(500, 8_000))
            }
            Kind::NewAddress => (Part::Net(branch), Duration::ZERO),
            Kind::PacketLoss
            | Kind::UpSilent
            | Kind::DownSilent
            | Kind::Unplugged
            | Kind::LowRate
            | Kind::Delay => (Part::Net(branch), self.dice.millis(1_000, 10_000)),
            Kind::DiskFull => (Part::Disk(branch), self.dice.millis(1_000, 6_000)),
            Kind::PaperOut | Kind::PrinterPower => {
                (Part::Printer(shop), self.dice.millis(500, 5_000))
            }
        };
        if self.broken.iter().any(|broken| broken.part == part) {
            return Ok(());
        }
        let magnitude = u32::try_from(self.dice.below(1_000))?;
        if !break_it(town, cluster, kind, part, magnitude).await? {
            if !self.impossible.contains(&kind) {
                println!("chaos: !!! {kind:?} cannot be done on this machine and is left out");
                self.impossible.push(kind);
            }
            return Ok(());
        }
        println!("chaos: {kind:?} {part:?} for {} ms", lasts.as_millis());
        *self.counts.entry(kind).or_default() += 1;
        let (Part::Gateway(at) | Part::Printer(at)) = part else {
            self.broken.push(Broken { part, kind, heals: Instant::now() + lasts });
            return Ok(());
        };
        if matches!(kind, Kind::KillGateway | Kind::PrinterPower) {
            *self.deaths.entry(at).or_default() += 1;
        }
        self.broken.push(Broken { part, kind, heals: Instant::now() + lasts });
        Ok(())
    }

    /// Ends every fault that lasts.
    pub(crate) fn heal_everything(&mut self, town: &mut Town) -> anyhow::Result<()> {
        for broken in std::mem::take(&mut self.broken) {
            heal(town, &broken)?;
        }
        // What was to be cut in the middle of a frame and never came to it.
        for at in 0..=town.branches.len() {
            wire(town, at).mend();
        }
        Ok(())
    }

    pub(crate) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Deaths of the gateway or printer of a shop.
    pub(crate) fn deaths_of(&self, shop: usize) -> usize {
        self.deaths.get(&shop).copied().unwrap_or(0)
    }

    /// How often each kind happened, in words.
    pub(crate) fn tally(&self) -> String {
        let kinds: Vec<String> =
            self.counts.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
        kinds.join(", ")
    }
}

/// False when this machine cannot.
async fn break_it(
    town: &mut Town,
    cluster: &Cluster,
    kind: Kind,
    part: Part,
    magnitude: u32,
) -> anyhow::Result<bool> {
    match (kind, part) {
        (Kind::KillGateway, Part::Gateway(at)) => gateway(town, at).kill().await?,
        (Kind::FreezeGateway, Part::Gateway(at)) => gateway(town, at).freeze()?,
        (Kind::KillCloud, Part::Cloud(at)) => cloud(town, at).kill().await?,
        (Kind::FreezeCloud, Part::Cloud(at)) => cloud(town, at).freeze()?,
        (Kind::KillDatabase, _) => {
            cluster.kill().await?;
            cluster.restart().await?;
        }
        (Kind::DiskFull, Part::Disk(at)) => {
            let disk = &town.branches[at - 1].disk;
            if !disk.is_small {
                return Ok(false);
            }
            disk.fill()?;
        }
        (Kind::PaperOut, Part::Printer(at)) => printer(town, at).switch(|s| s.paper = false),
        (Kind::PrinterPower, Part::Printer(at)) => {
            printer(town, at).switch(|s| s.power = false);
        }
        (kind, Part::Wire(at)) => spoil_wire(town, kind, at, magnitude),
        (kind, Part::Net(at)) => return spoil_net(town, kind, at, magnitude),
        (kind, part) => anyhow::bail!("{kind:?} does not happen to {part:?}"),
    }
    Ok(true)
}

fn spoil_wire(town: &Town, kind: Kind, at: usize, magnitude: u32) {
    let wire = wire(town, at);
    match kind {
        Kind::MidFrame => wire.cut_after(1 + magnitude * 3),
        Kind::OtherNode => {
            let nodes = [town.shop.address, town.second_address];
            wire.aim(nodes[magnitude as usize % 2]);
            wire.cut();
        }
        Kind::StallWire => wire.set(Wire::Stalled),
        Kind::SlowWire => wire.set(Wire::Slow(500 + magnitude * 8)),
        Kind::HalfOpenUp => wire.set(Wire::HalfOpen(Way::Up)),
        Kind::HalfOpenDown => wire.set(Wire::HalfOpen(Way::Down)),
        _ => wire.cut(),
    }
}

fn spoil_net(town: &mut Town, kind: Kind, at: usize, magnitude: u32) -> anyhow::Result<bool> {
    let Some(net) = &mut town.branches[at - 1].net else { return Ok(false) };
    let weather = match kind {
        Kind::PacketLoss => Weather::Loss(u8::try_from(5 + magnitude % 30)?),
        Kind::UpSilent => Weather::UpSilent,
        Kind::DownSilent => Weather::DownSilent,
        Kind::LowRate => Weather::Rate(32_000 + magnitude * 200),
        Kind::Delay if !net.can_delay() => return Ok(false),
        Kind::Delay => Weather::Delay { ms: 50 + magnitude, reorder: 25 },
        Kind::NewAddress => Weather::NewAddress,
        _ => Weather::Unplugged,
    };
    net.spoil(weather)?;
    Ok(true)
}

fn heal(town: &mut Town, broken: &Broken) -> anyhow::Result<()> {
    match (broken.kind, broken.part) {
        (Kind::KillGateway, Part::Gateway(at)) => gateway(town, at).restart(),
        (_, Part::Gateway(at)) => gateway(town, at).thaw(),
        (Kind::KillCloud, Part::Cloud(at)) => cloud(town, at).restart(),
        (_, Part::Cloud(at)) => cloud(town, at).thaw(),
        (Kind::MidFrame, _) | (_, Part::Database) => Ok(()),
        (_, Part::Wire(at)) => {
            wire(town, at).mend();
            Ok(())
        }
        (_, Part::Net(at)) => {
            if let Some(net) = &town.branches[at - 1].net {
                net.heal();
            }
            Ok(())
        }
        (_, Part::Disk(at)) => {
            town.branches[at - 1].disk.free();
            Ok(())
        }
        (_, Part::Printer(at)) => {
            printer(town, at).switch(|switches| {
                switches.paper = true;
                switches.power = true;
            });
            Ok(())
        }
    }
}

fn gateway(town: &mut Town, at: usize) -> &mut Daemon {
    match at {
        0 => &mut town.shop.gateway,
        at => &mut town.branches[at - 1].gateway,
    }
}

fn cloud(town: &mut Town, at: usize) -> &mut Daemon {
    if at == 0 { &mut town.shop.cloud } else { &mut town.second }
}

fn wire(town: &Town, at: usize) -> &Proxy {
    match at {
        0 => &town.shop.wire,
        at => &town.branches[at - 1].wire,
    }
}

fn printer(town: &Town, at: usize) -> &fournil_tests::printer_sim::PrinterSim {
    match at {
        0 => &town.shop.printer,
        at => &town.branches[at - 1].printer,
    }
}

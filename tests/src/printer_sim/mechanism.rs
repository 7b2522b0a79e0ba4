//! The part that takes time: bytes from the buffer onto paper at a given speed, and
//! the answers that wait for it. While paper is out or the cover open nothing moves
//! and nothing is lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::parser::{Op, Parsed, parse};
use super::press::{Press, Sheet};
use super::state::{Kick, Receipt, Shared};
use super::store;
use super::{Args, Fault};

/// Bytes moved from the receive buffer at once.
const TAKE_BYTES: usize = 64;
/// Dots in a millimetre at 203 dpi.
const DOTS_PER_MM: u32 = 8;

pub(super) struct Mechanism {
    shared: Arc<Shared>,
    press: Press,
    /// 0 prints in no time.
    speed_mm_s: u32,
    out: Option<PathBuf>,
    stop: CancellationToken,
    command: Vec<u8>,
    power_epoch: u64,
}

/// The printer is being taken away.
struct Stopped;

impl Mechanism {
    pub(super) fn new(shared: Arc<Shared>, args: Args, stop: CancellationToken) -> Self {
        let press = Press::new(args.width_dots, args.fault.contains(&Fault::Gbk));
        let (speed_mm_s, out) = (args.speed_mm_s, args.out);
        Self { shared, press, speed_mm_s, out, stop, command: Vec::new(), power_epoch: 0 }
    }

    /// Works until stopped.
    pub(super) async fn run(mut self) {
        while self.work().await.is_ok() {}
    }

    async fn work(&mut self) -> Result<(), Stopped> {
        self.until_online().await?;
        if self.command.is_empty() {
            return self.take().await;
        }
        match parse(&self.command) {
            Parsed::Incomplete => self.take().await,
            Parsed::Op(op, used) => {
                self.command.drain(..used.min(self.command.len()));
                self.execute(&op).await
            }
        }
    }

    async fn until_online(&mut self) -> Result<(), Stopped> {
        let mut watch = self.shared.watch();
        loop {
            let (online, epoch) = {
                let inner = self.shared.lock();
                (inner.switches.online(), inner.power_epoch)
            };
            if epoch != self.power_epoch {
                self.power_epoch = epoch;
                self.after_power_cut();
            }
            if online {
                return Ok(());
            }
            self.changed(&mut watch).await?;
        }
    }

    async fn take(&mut self) -> Result<(), Stopped> {
        let mut watch = self.shared.watch();
        loop {
            {
                let mut inner = self.shared.lock();
                let count = inner.buffer.len().min(TAKE_BYTES);
                let gone = !inner.switches.online() || inner.power_epoch != self.power_epoch;
                if gone || count > 0 {
                    let bytes = if gone { 0 } else { count };
                    self.command.extend(inner.buffer.drain(..bytes));
                    break;
                }
            }
            self.changed(&mut watch).await?;
        }
        self.shared.wake();
        Ok(())
    }

    async fn changed(&self, watch: &mut tokio::sync::watch::Receiver<u64>) -> Result<(), Stopped> {
        // Cancel safe: a dropped wait has seen nothing.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stopped),
            changed = watch.changed() => changed.map_err(|_| Stopped),
        }
    }

    async fn execute(&mut self, op: &Op) -> Result<(), Stopped> {
        let dots = self.press.execute(op);
        if dots > 0 && self.speed_mm_s > 0 {
            let millis = u64::from(dots) * 1_000 / u64::from(self.speed_mm_s * DOTS_PER_MM);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Stopped),
                () = tokio::time::sleep(Duration::from_millis(millis)) => {}
            }
        }
        let mut inner = self.shared.lock();
        if inner.power_epoch != self.power_epoch {
            return Ok(());
        }
        match op {
            Op::Tag(tag) => inner.answer_tag(*tag),
            Op::AutoStatus(mask) => inner.auto_status(*mask),
            Op::AskInOrder(1) => {
                let low = inner.switches.paper_low;
                inner.answer(&[if low { 0x03 } else { 0x00 }]);
            }
            Op::AskInOrder(_) => inner.answer(&[0x00]),
            Op::AskName(which) => inner.answer(&name(*which)),
            Op::Drawer { pin, on, off: _ } => {
                let on_ms = u32::from(*on) * 2;
                let at_ms = inner.now_ms();
                inner.kicks.push(Kick { at_ms, pin: *pin, on_ms, realtime: false });
                let kicks = inner.kicks.clone();
                drop(inner);
                store::save_kicks(self.out.as_deref(), &kicks);
                self.shared.wake();
            }
            Op::Cut { feed, .. } => {
                drop(inner);
                let sheet = self.press.cut(u32::from(*feed));
                self.finish(sheet.ok(), false);
            }
            Op::LineFeed => {
                drop(inner);
                self.line_printed();
            }
            _ => {}
        }
        Ok(())
    }

    fn line_printed(&self) {
        let left = self.shared.lock().switches.paper_out_after_lines;
        match left {
            Some(0 | 1) => self.shared.switch(|switches| {
                switches.paper = false;
                switches.paper_out_after_lines = None;
            }),
            Some(left) => self.shared.lock().switches.paper_out_after_lines = Some(left - 1),
            None => {}
        }
    }

    fn after_power_cut(&mut self) {
        self.command.clear();
        if !self.press.is_blank() {
            let sheet = self.press.cut(0);
            self.finish(sheet.ok(), true);
        }
        self.press.execute(&Op::Initialise);
    }

    fn finish(&mut self, sheet: Option<Sheet>, torn: bool) {
        let Some(sheet) = sheet else { return };
        let receipt = {
            let mut inner = self.shared.lock();
            let number = inner.receipts.last().map_or(1, |last| last.number + 1);
            let Sheet { text, png, errors } = sheet;
            let at_ms = inner.now_ms();
            let receipt = Receipt { number, at_ms, text, png, errors, torn };
            inner.receipts.push(receipt.clone());
            receipt
        };
        store::save(self.out.as_deref(), &receipt);
        self.shared.wake();
    }
}

/// The answer to GS I n.
fn name(which: u8) -> Vec<u8> {
    let text = match which {
        1 | 49 => return vec![0x20],
        // Bit 1: it has a cutter.
        2 | 50 => return vec![0x02],
        3 | 51 => return vec![0x01],
        65 => "1.00",
        66 => "FOURNIL",
        67 => "SIM-80",
        68 => "SIM0000001",
        _ => "",
    };
    [&[0x5f][..], text.as_bytes(), &[0x00]].concat()
}

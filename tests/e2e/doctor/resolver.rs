//! Names that do not resolve: the program runs with a resolver of ours, in a mount
//! namespace with its own `/etc/resolv.conf`. As root only; elsewhere the reading of the
//! resolver's words has its own test beside the code.

use std::net::Ipv4Addr;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::{ShopBox, WHOLE_MAX};

/// Whether this process may make namespaces.
pub(super) fn may_unshare() -> bool {
    let tried = std::process::Command::new("unshare").args(["--mount", "--net", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    NoSuchName,
    ServerFails,
    NoAddress,
    Nothing,
}

/// A name server; each on an address of its own, because the port is always 53.
struct Resolver {
    address: Ipv4Addr,
    task: JoinHandle<()>,
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Resolver {
    async fn start(last: u8, answer: Answer) -> Option<Self> {
        let address = Ipv4Addr::new(127, 61, 53, last);
        let socket = UdpSocket::bind((address, 53)).await.ok()?;
        let task = tokio::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut bytes).await {
                if let Some(said) = reply(&bytes[..count], answer) {
                    let _ = socket.send_to(&said, from).await;
                }
            }
        });
        Some(Self { address, task })
    }
}

/// The question with the flags of an answer and no records.
fn reply(question: &[u8], answer: Answer) -> Option<Vec<u8>> {
    let code = match answer {
        Answer::NoSuchName => 3,
        Answer::ServerFails => 2,
        Answer::NoAddress => 0,
        Answer::Nothing => return None,
    };
    let mut said = question.to_vec();
    said[2] = 0x81;
    said[3] = 0x80 | code;
    // One question, nothing else: an additional record of the question is left out.
    said[6..12].fill(0);
    let end = 12 + question[12..].iter().position(|byte| *byte == 0)? + 5;
    said.truncate(end);
    Some(said)
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_a_resolver_that_fails() {
    if !may_unshare() {
        return;
    }
    for (last, answer, code) in [
        (1, Answer::NoSuchName, "not-found"),
        (2, Answer::ServerFails, "resolver-failing"),
        (3, Answer::NoAddress, "no-address"),
        (4, Answer::Nothing, "resolver-silent"),
    ] {
        let Some(resolver) = Resolver::start(last, answer).await else { return };
        let boxed = ShopBox::enrolled("https://cloud.fournil.example", None);
        let file = boxed.dir.path().join("resolv.conf");
        std::fs::write(&file, format!("nameserver {}\n", resolver.address)).unwrap();
        let mount = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", file.display());
        let report = boxed.doctor_under(&["unshare", "--mount", "sh", "-c", &mount, "sh"]).await;
        let said = report.fault("name", code);
        assert!(said["text"].as_str().unwrap().len() > 10);
        report.skipped("network", "name");
        report.skipped("cloud", "name");
        assert!(report.took < WHOLE_MAX, "{:?}", report.took);
    }
}

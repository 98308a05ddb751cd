//! An emulator of AWS as a process of its own, on a loopback port; it ends with whoever started it.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `ministack`.
pub(crate) struct Server {
    /// Where it answers.
    pub(crate) endpoint: String,
    /// Closed by the end of this process, however it comes: that ends the server.
    _leash: ChildStdin,
}

impl Server {
    #[expect(
        clippy::zombie_processes,
        reason = "it ends after this process, which cannot wait for it"
    )]
    /// Starts it and waits until it answers; it unpacks functions into `scratch`.
    pub(crate) fn start(scratch: &Path) -> Self {
        let program = program();
        let found = Command::new("sh")
            .args(["-c", "command -v \"$0\"", &program])
            .output()
            .unwrap();
        assert!(found.status.success(), "{program} is not there. {ADVICE}");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut shell = Command::new("sh")
            .args([
                "-c",
                "\"$0\" & server=$!; cat > /dev/null; kill $server",
                &program,
            ])
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "{program} did not answer. {ADVICE}"
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let leash = shell.stdin.take().unwrap();
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            _leash: leash,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where a tool lies is no setting of the product"
)]
fn program() -> String {
    std::env::var("QUITTANCE_MINISTACK").unwrap_or_else(|_| "ministack".to_owned())
}

const ADVICE: &str = "Make a virtual environment, `pip install ministack cryptography` there, and put its `bin` on \
                      the PATH or the program's path into QUITTANCE_MINISTACK.";

//! etcd by its own API, as an operator of a cluster has it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::ControlPlane;

impl ControlPlane {
    /// Has etcd forget every version of every object but the last. Whoever asks for what came after
    /// an older one is told that it is gone.
    pub fn compact(&self) {
        let any_key = json!({ "key": BASE64_STANDARD.encode(b"\0"), "limit": 1 });
        let found = self.ask_etcd("range", &any_key);
        let revision = &found["header"]["revision"];
        let compacted = self.ask_etcd(
            "compaction",
            &json!({ "revision": revision, "physical": true }),
        );
        assert!(compacted["header"].is_object(), "{compacted:#}");
    }

    fn ask_etcd(&self, what: &str, body: &Value) -> Value {
        let [port, _, _] = self.ports();
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // HTTP/1.0: the answer ends with the connection, and comes in one piece.
        write!(
            stream,
            "POST /v3/kv/{what} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

//! A server that speaks MySQL's protocol and has and refuses what its script says: for the servers that can't be had here.
//!
//! It authenticates everyone, or refuses everyone with one error. Statements are answered from a table; each is noted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// An error as servers send it: code, state, words.
pub(crate) type Refusal = (u16, &'static str, &'static str);

#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) version: &'static str,
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Statements that begin or continue so are refused.
    pub(crate) refuses: &'static [(&'static str, Refusal)],
    pub(crate) login: Option<Refusal>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(script: Script) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (heard, connections) = (said.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                let (script, heard) = (script.clone(), heard.clone());
                thread::spawn(move || Line { stream, script, heard, sequence: 0, statements: BTreeMap::new() }.run());
            }
        });
        Server { address, said, connections }
    }

    /// How often someone has connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("mysql://reader:secret@{}/shop", self.address)
    }

    /// The statements since the last look.
    pub(crate) fn statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().unwrap())
    }
}

/// Capabilities: the protocol of 4.1, transactions, plugins, a database at the login. No TLS.
const CAPABILITIES: u32 = 0x0000_0001 | 0x0000_0008 | 0x0000_0200 | 0x0000_2000 | 0x0000_8000 | 0x0008_0000;
const AUTOCOMMIT: u16 = 2;
const UTF8MB4: u16 = 45;
const VAR_STRING: u8 = 253;

struct Line {
    stream: TcpStream,
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
    sequence: u8,
    statements: BTreeMap<u32, String>,
}

impl Line {
    fn run(mut self) -> io::Result<()> {
        self.greet()?;
        self.read()?;
        if let Some(refusal) = self.script.login {
            return self.error(refusal);
        }
        self.ok()?;
        loop {
            self.sequence = 0;
            let command = self.read()?;
            let Some((command, rest)) = command.split_first() else { return Ok(()) };
            match command {
                0x01 => return Ok(()),
                0x03 => self.query(&String::from_utf8_lossy(rest), false)?,
                0x0E | 0x1F => self.ok()?,
                0x16 => self.prepare(&String::from_utf8_lossy(rest))?,
                0x17 => {
                    let id = u32::from_le_bytes(rest[..4].try_into().unwrap());
                    let sql = self.statements[&id].clone();
                    self.query(&sql, true)?;
                }
                0x19 => {}
                _ => self.error((1047, "08S01", "Unknown command"))?,
            }
        }
    }

    fn greet(&mut self) -> io::Result<()> {
        let mut packet = vec![10];
        packet.extend(self.script.version.as_bytes());
        packet.extend([0, 7, 0, 0, 0]);
        packet.extend(b"12345678\0");
        packet.extend((CAPABILITIES as u16).to_le_bytes());
        packet.push(UTF8MB4 as u8);
        packet.extend(AUTOCOMMIT.to_le_bytes());
        packet.extend(((CAPABILITIES >> 16) as u16).to_le_bytes());
        packet.push(21);
        packet.extend([0; 10]);
        packet.extend(b"901234567890\0mysql_native_password\0");
        self.write(&packet)
    }

    fn query(&mut self, sql: &str, is_prepared: bool) -> io::Result<()> {
        if !is_prepared && !sql.starts_with("SHOW WARNINGS") {
            self.heard.lock().unwrap().push(sql.to_owned());
        }
        if let Some(refusal) = self.refusal(sql) {
            return self.error(refusal);
        }
        match answer(sql, &self.script) {
            None => self.ok(),
            Some((columns, rows)) => {
                self.write(&[u8::try_from(columns.len()).unwrap()])?;
                self.columns(&columns)?;
                for row in rows {
                    let mut packet = Vec::new();
                    if is_prepared {
                        packet.push(0);
                        packet.extend(vec![0; (columns.len() + 9) / 8]);
                    }
                    for cell in row {
                        text(&mut packet, &cell);
                    }
                    self.write(&packet)?;
                }
                self.end()
            }
        }
    }

    fn prepare(&mut self, sql: &str) -> io::Result<()> {
        self.heard.lock().unwrap().push(sql.to_owned());
        if let Some(refusal) = self.refusal(sql) {
            return self.error(refusal);
        }
        let id = u32::try_from(self.statements.len() + 1).unwrap();
        self.statements.insert(id, sql.to_owned());
        let columns = answer(sql, &self.script).map(|(columns, _)| columns).unwrap_or_default();
        let parameters = sql.matches('?').count();
        let mut packet = vec![0];
        packet.extend(id.to_le_bytes());
        packet.extend(u16::try_from(columns.len()).unwrap().to_le_bytes());
        packet.extend(u16::try_from(parameters).unwrap().to_le_bytes());
        packet.extend([0, 0, 0]);
        self.write(&packet)?;
        if parameters > 0 {
            self.columns(&vec!["?"; parameters])?;
        }
        if !columns.is_empty() {
            self.columns(&columns)?;
        }
        Ok(())
    }

    fn refusal(&self, sql: &str) -> Option<Refusal> {
        self.script.refuses.iter().find(|(part, _)| sql.contains(part)).map(|(_, refusal)| *refusal)
    }

    fn columns(&mut self, names: &[&str]) -> io::Result<()> {
        for name in names {
            let mut packet = Vec::new();
            for part in ["def", "", "", "", name, name] {
                text(&mut packet, part);
            }
            packet.push(12);
            packet.extend(UTF8MB4.to_le_bytes());
            packet.extend(1_024_u32.to_le_bytes());
            packet.extend([VAR_STRING, 0, 0, 0, 0, 0]);
            self.write(&packet)?;
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.write(&[0xFE, 0, 0, AUTOCOMMIT as u8, 0])
    }

    fn ok(&mut self) -> io::Result<()> {
        self.write(&[0, 0, 0, AUTOCOMMIT as u8, 0, 0, 0])
    }

    fn error(&mut self, (code, state, words): Refusal) -> io::Result<()> {
        let mut packet = vec![0xFF];
        packet.extend(code.to_le_bytes());
        packet.extend(format!("#{state}{words}").as_bytes());
        self.write(&packet)
    }

    fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        let mut bytes = u32::try_from(packet.len()).unwrap().to_le_bytes();
        bytes[3] = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&[&bytes, packet].concat())
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        self.sequence = head[3].wrapping_add(1);
        let mut packet = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        self.stream.read_exact(&mut packet)?;
        Ok(packet)
    }
}

/// The columns and rows of a statement that has some.
fn answer(sql: &str, script: &Script) -> Option<(Vec<&'static str>, Vec<Vec<String>>)> {
    let one = |cells: &[&str]| vec![cells.iter().map(|cell| (*cell).to_owned()).collect()];
    if sql.starts_with("SHOW VARIABLES") {
        let asked = |name: &str| sql.contains(&format!("'{name}'"));
        let known = script.variables.iter().filter(|(name, _)| asked(name));
        Some((vec!["Variable_name", "Value"], known.map(|(name, value)| vec![(*name).to_owned(), (*value).to_owned()]).collect()))
    } else if sql.contains("information_schema.tables") {
        Some((vec!["table", "table_comment"], one(&["orders", ""])))
    } else if sql.starts_with("SELECT") {
        Some((vec!["n"], one(&["42"])))
    } else if sql.starts_with("SHOW") {
        Some((vec!["Variable_name", "Value"], Vec::new()))
    } else {
        None
    }
}

/// A text behind its length.
fn text(packet: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length @ ..251) => packet.push(length),
        _ => {
            packet.push(0xFC);
            packet.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        }
    }
    packet.extend(text.as_bytes());
}

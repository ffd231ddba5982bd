//! Full tables: what is new goes on as if nobody helped, what runs goes on.

use std::{io::Read as _, net::TcpListener};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab, Payload, Server, control::Control, control::accept, ftp_nat::FtpNat,
};

struct Small {
    lab: Lab,
    server: Server,
    ftp_nat: FtpNat,
    file: Payload,
}

impl Small {
    fn new(option: &str, size: u32) -> Result<Self> {
        let lab = Lab::masquerade()?;
        let server = lab.server.vsftpd().start()?;
        let run = lab.ftp_nat().arg(option).arg(&size.to_string());
        Ok(Self {
            file: server.publish_random("file.bin", 41, 3_000_000)?,
            ftp_nat: run.start()?,
            server,
            lab,
        })
    }

    fn log_in(&self) -> Result<Control> {
        self.lab.client.log_in(&self.lab.reach(&self.server))
    }

    /// A session that has announced a port, and the answer.
    fn announced(&self) -> Result<(Control, TcpListener, u16)> {
        let mut control = self.log_in()?;
        let listener = control.listen(0)?;
        let reply = control.announce(listener.local_addr()?.port())?;
        Ok((control, listener, reply.code))
    }
}

#[test]
fn of_sessions() -> Result<()> {
    let small = Small::new("--max-sessions", 4)?;
    let mut followed = Vec::new();
    for _ in 0..4 {
        followed.push(small.log_in()?);
    }
    let mut fifth = small.log_in()?;
    let reply = fifth.announce(40_000)?;
    ensure!(reply.code == 500, "the fifth was helped: {}", reply.text);
    fifth.expect("PWD", 257)?;
    ensure!(small.ftp_nat.counter("sessions_table_full")? >= 1);
    ensure!(small.ftp_nat.counter("sessions_learned")? == 4);
    for control in &mut followed {
        small
            .file
            .verify(&control.retrieve_active(0, "file.bin")?)?;
    }
    let stats = small.ftp_nat.json("stats")?;
    ensure!(stats["tables"]["sessions"]["max"] == 4, "{stats}");
    Ok(())
}

#[test]
fn of_announcements() -> Result<()> {
    let small = Small::new("--max-expectations", 2)?;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (control, listener, code) = small.announced()?;
        ensure!(code == 200, "{code}");
        waiting.push((control, listener));
    }
    let (mut third, _listener, code) = small.announced()?;
    ensure!(code == 500, "the third was helped: {code}");
    ensure!(small.ftp_nat.counter("refused_table_full")? == 1);
    let sessions = small.ftp_nat.json("sessions")?;
    let refused = sessions["sessions"].as_array().into_iter().flatten();
    let refused = refused.filter(|s| s["last_refusal"] == "refused_table_full");
    ensure!(refused.count() == 1, "no reason: {sessions}");
    for (control, listener) in &mut waiting {
        let got = control.retrieve_from(listener, "file.bin")?;
        small.file.verify(&got)?;
    }
    // Now there is room.
    small.file.verify(&third.retrieve_active(0, "file.bin")?)
}

#[test]
fn of_data_connections() -> Result<()> {
    let small = Small::new("--max-transfers", 2)?;
    let mut running = Vec::new();
    for _ in 0..2 {
        let (mut control, listener, code) = small.announced()?;
        ensure!(code == 200, "{code}");
        control.expect("RETR file.bin", 150)?;
        let (mut data, _) = accept(&listener)?;
        let mut got = vec![0; 1000];
        data.read_exact(&mut got)?;
        running.push((control, data, got));
    }
    let (mut third, _listener, code) = small.announced()?;
    ensure!(code == 200, "{code}");
    let refused = third.say("RETR file.bin")?;
    ensure!(refused.code == 425, "it was let in: {}", refused.text);
    third.expect("PWD", 257)?;
    ensure!(small.ftp_nat.counter("flows_table_full")? >= 1);
    for (mut control, mut data, mut got) in running {
        data.read_to_end(&mut got)?;
        drop(data);
        control.expect_reply(226)?;
        small.file.verify(&got)?;
    }
    Ok(())
}

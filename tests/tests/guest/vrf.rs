//! Two VRFs with the same addresses, inside and outside.
//!
//! ```text
//!  10.10.0.1 --- 10.10.0.254 (in-blue) blue (out-blue) 61.144.1.2 --- 61.144.1.100
//!  10.10.0.1 --- 10.10.0.254 (in-red)  red  (out-red)  61.144.1.2 --- 61.144.1.100
//! ```

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Server,
    control::{Control, accept},
    ftp_nat::{Builder, FtpNat},
    link,
    net::Net,
    topology::{CLIENT_INSIDE, ETH, GATEWAY_INSIDE, GATEWAY_OUTSIDE, SERVER_OUTSIDE},
};

const COLOURS: [&str; 2] = ["blue", "red"];
/// Those of either client.
const CONTROL_PORT: u16 = 40_000;
const DATA_PORT: u16 = 41_000;

/// Either VRF has a zone of its own in the connection tracker, which sees packets
/// at the port and at the VRF.
const RULES: &str = "
table inet filter {
    chain zones {
        type filter hook prerouting priority raw;
        iifname { in-blue, out-blue, blue } ct zone set 1
        iifname { in-red, out-red, red } ct zone set 2
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname { in-blue, in-red, blue, red } oifname { out-blue, out-red } accept
    }
}
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname { out-blue, out-red } masquerade
    }
}";

struct Twins {
    clients: Vec<Host>,
    servers: Vec<Server>,
    server_hosts: Vec<Host>,
    ftp_nat: FtpNat,
    _net: Net,
}

impl Twins {
    fn new() -> Result<Self> {
        let net = Net::new()?;
        let gateway = net.host("gateway")?;
        gateway.nft(RULES)?;
        let (mut clients, mut server_hosts) = (Vec::new(), Vec::new());
        let mut ftp_nat = Builder::new(&gateway, net.pin_path());
        for (colour, table) in COLOURS.into_iter().zip(["1001", "1002"]) {
            let ip = |words: &[&str]| gateway.run(&[&["ip"], words].concat());
            ip(&["link", "add", colour, "type", "vrf", "table", table])?;
            ip(&["link", "set", colour, "up"])?;
            let end = |side: &str, own: Ipv4Addr, at_gateway: Ipv4Addr| {
                let (host, port) = (
                    net.host(&format!("{side}-{colour}"))?,
                    format!("{side}-{colour}"),
                );
                link::join(&gateway, &port, &host, ETH)?;
                ip(&["link", "set", &port, "master", colour])?;
                gateway.address(&port, &format!("{at_gateway}/24"))?;
                host.address(ETH, &format!("{own}/24"))?;
                host.default_route(at_gateway.into())?;
                Ok::<_, anyhow::Error>(host)
            };
            clients.push(end("in", CLIENT_INSIDE, GATEWAY_INSIDE)?);
            server_hosts.push(end("out", SERVER_OUTSIDE, GATEWAY_OUTSIDE)?);
            ftp_nat = ftp_nat
                .lan(&format!("in-{colour}"))
                .wan(&format!("out-{colour}"));
        }
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        let servers = server_hosts.iter().map(|host| host.vsftpd().start());
        Ok(Self {
            clients,
            servers: servers.collect::<Result<_>>()?,
            server_hosts,
            ftp_nat: ftp_nat.start()?,
            _net: net,
        })
    }

    /// Both clients log in, from the same port at the same address.
    fn log_in(&self) -> Result<Vec<Control>> {
        let log_in = |client: &Host| {
            let to = SocketAddrV4::new(SERVER_OUTSIDE, 21);
            let stream = client.connect_from(CONTROL_PORT, to)?;
            let mut control = Control::over(client, stream)?;
            control.expect("USER anonymous", 230)?;
            control.expect("TYPE I", 200)?;
            Ok(control)
        };
        self.clients.iter().map(log_in).collect()
    }
}

#[test]
fn sessions_of_two_vrfs_never_mix() -> Result<()> {
    let twins = Twins::new()?;
    let mut files = Vec::new();
    for (server, seed) in twins.servers.iter().zip([81, 82]) {
        files.push(server.publish_random("file.bin", seed, 40_000)?);
    }
    let mut controls = twins.log_in()?;
    let mut listeners = Vec::new();
    for control in &mut controls {
        listeners.push(control.listen(DATA_PORT)?);
        let reply = control.announce(DATA_PORT)?;
        ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
    }
    for n in [1, 0] {
        files[n].verify(&controls[n].retrieve_from(&listeners[n], "file.bin")?)?;
    }
    for (control, file) in controls.iter_mut().zip(&files) {
        file.verify(&control.retrieve_passive("file.bin")?)?;
    }
    ensure!(twins.ftp_nat.counter("expectations_used")? == 4);
    let sessions = twins.ftp_nat.json("sessions")?;
    let all = sessions["sessions"].as_array().context("no sessions")?;
    let mut domains: Vec<_> = all
        .iter()
        .filter_map(|s| s["client_domain"].as_str().zip(s["server_domain"].as_str()))
        .collect();
    domains.sort_unstable();
    ensure!(domains == [("blue", "blue"), ("red", "red")], "{sessions}");

    // What one announces isn't there for the other's server.
    let mut first = controls.swap_remove(0);
    let listener = first.listen(DATA_PORT + 1)?;
    ensure!(first.announce(DATA_PORT + 1)?.code == 200);
    let pending = twins.ftp_nat.json("translations")?;
    let all = pending["translations"].as_array().into_iter().flatten();
    let public: SocketAddr = all
        .filter(|t| t["state"] == "pending")
        .find_map(|t| t["became"].as_str())
        .with_context(|| format!("nothing is announced: {pending}"))?
        .parse()?;
    let [own, other] = &twins.server_hosts[..] else {
        unreachable!("two were made");
    };
    ensure!(
        other.connect(public).is_err(),
        "a host of the other VRF came through the pinhole"
    );
    let _data = own.connect(public)?;
    let (_, from) = accept(&listener)?;
    ensure!(from.ip() == SERVER_OUTSIDE, "it seems to come from {from}");
    Ok(())
}

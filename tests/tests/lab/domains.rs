//! Two inside networks with the same addresses.

use std::net::{SocketAddr, SocketAddrV4};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Server,
    control::{Control, accept},
    firewall::{self, WAN},
    ftp_nat::{self, FtpNat},
    link,
    net::Net,
    topology::{CLIENT_INSIDE, ETH, GATEWAY_INSIDE, GATEWAY_OUTSIDE, SERVER_OUTSIDE},
};

/// The control connection's port at either client, and the one it announces.
const CONTROL_PORT: u16 = 40_000;
const DATA_PORT: u16 = 41_000;
const LANS: [&str; 2] = ["lan1", "lan2"];

/// ```text
///  client1                    gateway                      server
///  10.10.0.1 --- (lan1) 10.10.0.254
///                                     (wan) 61.144.1.2 --- 61.144.1.100
///  10.10.0.1 --- (lan2) 10.10.0.254
///  client2
/// ```
/// Either network has a zone of its own in the connection tracker, and what
/// comes back from outside is routed by the network it belongs to.
struct Twins {
    clients: [Host; 2],
    gateway: Host,
    server: Server,
    net: Net,
}

impl Twins {
    fn new() -> Result<Self> {
        let net = Net::new()?;
        let clients = [net.host("client1")?, net.host("client2")?];
        let (gateway, server) = (net.host("gateway")?, net.host("server")?);
        for ((client, lan), table) in clients.iter().zip(LANS).zip(["101", "102"]) {
            link::join(client, ETH, &gateway, lan)?;
            client.address(ETH, &format!("{CLIENT_INSIDE}/24"))?;
            gateway.address(lan, &format!("{GATEWAY_INSIDE}/24"))?;
            client.default_route(GATEWAY_INSIDE.into())?;
            let network = ["ip", "route", "add", "10.10.0.0/24", "dev", lan];
            gateway.run(&[&network[..], &["table", table]].concat())?;
            gateway.run(&["ip", "rule", "add", "fwmark", table, "lookup", table])?;
        }
        link::join(&gateway, WAN, &server, ETH)?;
        gateway.address(WAN, &format!("{GATEWAY_OUTSIDE}/24"))?;
        server.address(ETH, &format!("{SERVER_OUTSIDE}/24"))?;
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        gateway.nft(&rules())?;
        let server = server.vsftpd().start()?;
        Ok(Self {
            clients,
            gateway,
            server,
            net,
        })
    }

    fn start(&self) -> Result<FtpNat> {
        ftp_nat::Builder::new(&self.gateway, self.net.pin_path())
            .lan(LANS[0])
            .lan(LANS[1])
            .wan(WAN)
            .arg("--domain=1=lan1")
            .arg("--domain=2=lan2")
            .start()
    }

    /// Both clients log in, from the same port.
    fn log_in(&self) -> Result<[Control; 2]> {
        let log_in = |client: &Host| {
            let server = SocketAddrV4::new(SERVER_OUTSIDE, 21);
            let stream = client.connect_from(CONTROL_PORT, server)?;
            let mut control = Control::over(client, stream)?;
            control.expect("USER anonymous", 230)?;
            control.expect("TYPE I", 200)?;
            Ok::<_, anyhow::Error>(control)
        };
        Ok([log_in(&self.clients[0])?, log_in(&self.clients[1])?])
    }
}

fn rules() -> String {
    "
table inet filter {
    counter dropped_new {}
    counter dropped_invalid {}
    chain zones {
        type filter hook prerouting priority raw;
        iifname lan1 ct original zone set 1
        iifname lan2 ct original zone set 2
    }
    chain marks {
        type filter hook prerouting priority mangle;
        iifname lan1 ct mark set 101
        iifname lan2 ct mark set 102
        iifname wan meta mark set ct mark
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid counter name dropped_invalid drop
        ct state established,related accept
        iifname { lan1, lan2 } oifname wan accept
        counter name dropped_new
    }
}
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname wan masquerade
    }
}"
    .to_owned()
}

#[test]
fn the_same_addresses_in_two_networks_never_mix() -> Result<()> {
    let lab = Twins::new()?;
    let ftp_nat = lab.start()?;
    let files = [
        lab.server.publish_random("one.bin", 61, 300_000)?,
        lab.server.publish_random("two.bin", 62, 300_000)?,
    ];
    let mut controls = lab.log_in()?;
    for _ in 0..3 {
        let listeners = [
            controls[0].listen(DATA_PORT)?,
            controls[1].listen(DATA_PORT)?,
        ];
        // Both wait before either comes.
        for control in &mut controls {
            let reply = control.announce(DATA_PORT)?;
            ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
        }
        for n in [1, 0] {
            let name = ["one.bin", "two.bin"][n];
            files[n].verify(&controls[n].retrieve_from(&listeners[n], name)?)?;
        }
    }
    ensure!(firewall::counted(&lab.gateway, "dropped_invalid")? == 0);
    ensure!(ftp_nat.counter("expectations_used")? == 6);

    let sessions = ftp_nat.json("sessions")?;
    let told: Vec<_> = sessions["sessions"]
        .as_array()
        .context("no sessions")?
        .iter()
        .map(|s| {
            (
                &s["client"],
                s["client_domain"].as_str(),
                &s["server_domain"],
            )
        })
        .collect();
    ensure!(told.len() == 2, "{sessions}");
    for (client, domain, of_server) in &told {
        ensure!(*client == "10.10.0.1:40000", "{sessions}");
        ensure!(matches!(domain, Some("1" | "2")), "{sessions}");
        ensure!(of_server.is_null(), "{sessions}");
    }
    ensure!(told[0].1 != told[1].1, "{sessions}");
    Ok(())
}

#[test]
fn a_pinhole_is_nothing_to_the_other_network() -> Result<()> {
    let lab = Twins::new()?;
    let ftp_nat = lab.start()?;
    let [mut first, _second] = lab.log_in()?;
    let listener = first.listen(DATA_PORT)?;
    let reply = first.announce(DATA_PORT)?;
    ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
    let pending = ftp_nat.json("translations")?;
    let public: SocketAddr = pending["translations"][0]["became"]
        .as_str()
        .context("nothing is announced")?
        .parse()?;
    ensure!(public.ip() == GATEWAY_OUTSIDE);

    ensure!(
        lab.clients[1].connect(public).is_err(),
        "a host of the other network came through the pinhole"
    );
    ensure!(ftp_nat.counter("refused_data_source")? >= 1);
    // The announcer's own network may (hairpin).
    let _data = lab.clients[0].connect(public)?;
    let (_, from) = accept(&listener)?;
    ensure!(from.ip() == lab.server.ip(), "it seems to come from {from}");
    Ok(())
}

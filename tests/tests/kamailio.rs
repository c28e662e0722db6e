//! A proxy stands between the caller and the program: dialogs follow the route set, whoever speaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::kamailio::Kamailio;
use trunkline_tests::sipp;

fn gateway() -> Gateway {
    let gateway = Gateway::start();
    assert!(gateway.cli(&["rule", "add", "--room", "lobby"]).status.success());
    gateway
}

/// The BYE of a call's timeline: its text and where it came from or went.
fn bye(call: &Value) -> (&str, &str) {
    let timeline = call["timeline"].as_array().unwrap();
    let entry = timeline.iter().find(|e| e["text"].as_str().is_some_and(|t| t.starts_with("BYE "))).unwrap();
    (entry["text"].as_str().unwrap(), entry["remote"].as_str().unwrap())
}

fn called_and_hung_up(transport: &str) {
    let mut gateway = gateway();
    let kamailio = Kamailio::before(gateway.port, transport);
    sipp::run("call.xml", kamailio.port, 1, 10, &[]).assert_passed();
    gateway.wait_until_idle();
    let call = gateway.last_call();
    assert_eq!(call["cdr"]["end"], "the caller hung up");
    let (text, _) = bye(&call);
    assert_eq!(text.matches("Via: ").count(), 2, "it came through the proxy: {text}");
}

fn hung_up_on(transport: &str) {
    let mut gateway = gateway();
    let kamailio = Kamailio::before(gateway.port, transport);
    let port = kamailio.port;
    std::thread::scope(|scope| {
        let caller = scope.spawn(move || sipp::run("hung_up_on.xml", port, 1, 10, &[]));
        gateway.wait_until("the caller's ACK is here", |g| {
            let up = &g.json(&["calls"])["up"][0];
            up["id"]
                .as_str()
                .is_some_and(|id| g.json(&["calls", "show", id])["timeline"].to_string().contains("\"ACK "))
        });
        let id = gateway.json(&["calls"])["up"][0]["id"].as_str().unwrap().to_owned();
        assert!(gateway.cli(&["calls", "hangup", &id]).status.success());
        caller.join().unwrap().assert_passed();
    });
    gateway.wait_until_idle();
    let call = gateway.last_call();
    let (text, remote) = bye(&call);
    assert!(text.contains(&format!("\r\nRoute: <sip:127.0.0.1:{port};")), "{text}");
    // The Request-URI is the caller's own address, not the proxy's (loose routing, RFC 3261 §12.2.1.1).
    assert!(!text.lines().next().unwrap().contains(&port.to_string()), "{text}");
    assert!(transport == "tcp" || remote.ends_with(&format!(":{port}")), "{remote}");
}

#[test]
fn a_caller_behind_a_proxy_calls_and_hangs_up() {
    called_and_hung_up("udp");
}

#[test]
fn a_caller_on_udp_reaches_us_over_tcp_through_a_proxy() {
    called_and_hung_up("tcp");
}

#[test]
fn a_bye_of_ours_goes_through_the_proxy() {
    hung_up_on("udp");
}

#[test]
fn a_bye_of_ours_goes_back_over_the_proxys_tcp() {
    hung_up_on("tcp");
}

#[test]
fn offers_and_acknowledgements_follow_the_route_of_the_call() {
    let mut gateway = gateway();
    let kamailio = Kamailio::before(gateway.port, "udp");
    for scenario in ["no_common_codec_later.xml", "prack.xml", "delayed_offer.xml", "session_timer.xml"] {
        sipp::run(scenario, kamailio.port, 1, 10, &[]).assert_passed();
    }
    gateway.wait_until_idle();
}

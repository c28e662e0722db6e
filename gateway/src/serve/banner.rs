//! What a person reads at the start: where to call, what to try next, who may call.

use std::ffi::OsStr;
use std::fmt::Write;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use trunkline_config::Config;
use trunkline_dialplan::Plan;

/// Prints it, unless machines read along.
#[allow(clippy::print_stdout)]
pub(super) fn print(config: &Config, file: &str, port: u16, plan: &Plan, agent_fault: Option<&str>) {
    if !config.logging.json {
        let name = name(std::env::args_os().next().as_deref(), std::env::var_os("PATH").as_deref());
        println!("{}", text(&name, config, file, port, plan, agent_fault));
    }
}

/// How this program is called in a second terminal: by its name where the shell finds it, else as it was
/// started.
fn name(started: Option<&OsStr>, path: Option<&OsStr>) -> String {
    const NAME: &str = "trunkline";
    let Some(started) = started.map(Path::new) else { return NAME.into() };
    let folder = started.parent().filter(|folder| !folder.as_os_str().is_empty());
    let found = path.is_some_and(|path| std::env::split_paths(path).any(|p| Some(p.as_path()) == folder));
    if folder.is_none() || found { NAME.into() } else { started.display().to_string() }
}

fn text(
    name: &str,
    config: &Config,
    file: &str,
    port: u16,
    plan: &Plan,
    agent_fault: Option<&str>,
) -> String {
    let host =
        config.nat_1_to_1_ip.or(config.listen_ip).filter(|ip| !ip.is_unspecified()).or_else(own_address);
    let host = host.map_or_else(|| "127.0.0.1".to_owned(), shown);
    let at = if port == 5060 { host } else { format!("{host}:{port}") };
    let near = if port == 5060 { "127.0.0.1".to_owned() } else { format!("127.0.0.1:{port}") };
    let mut text = format!(
        "\ntrunkline {} is up ({file}; state in {}).\n\n\
         Call    sip:anything@{at}    with any softphone (UDP or TCP), or in a second terminal\n\
         \x20       {name} call sip:agent@{near} --mic        (or --wav question.wav --record call.wav)\n\
         Watch   {name} tail    {name} calls    {name} calls show ID\n\
         Route   {name} trunk add …    {name} rule add …    {name} rule test --from … --to …\n\n",
        env!("CARGO_PKG_VERSION"),
        config.state_dir.display(),
    );
    match agent_fault {
        None if config.agent.dialogue.is_none() => text.push_str("The example agent answers.\n"),
        None => text.push_str("The agent answers with your dialogue.\n"),
        Some(fault) => {
            let _ = writeln!(
                text,
                "The agent cannot talk: {fault}\nCalls for it get 503; calls into rooms go on."
            );
        }
    }
    text.push_str(&door(name, plan, config));
    text
}

/// Who may call.
fn door(name: &str, plan: &Plan, config: &Config) -> String {
    if plan.trunks.is_empty() {
        format!(
            "The door is open: no trunk is set up, so calls are taken from anywhere, {} at a time and {} a second\n\
             at most. Close it with a trunk that says who may call:\n\
             \x20       {name} trunk add --name carrier --allow-address 192.0.2.0/24 --number +15550100\n",
            config.limits.calls, config.limits.calls_per_second
        )
    } else {
        format!(
            "Trunks and rules decide who may call and where a call goes:  {name} trunk list    {name} rule list\n"
        )
    }
}

fn shown(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

/// The address of this machine on its way out. Nothing is sent: connecting a UDP socket only asks the
/// kernel for the route (192.0.2.1 is an address of documentation, RFC 5737).
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|a| a.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_no_trunk_the_text_says_that_the_door_is_open_and_how_to_close_it() {
        let config = Config::parse("", "", &|_| None).unwrap();
        let text = text("trunkline", &config, "no file", 5060, &Plan::default(), None);
        assert!(text.contains("The door is open"), "{text}");
        assert!(text.contains("trunkline trunk add"), "{text}");
    }

    #[test]
    fn commands_are_shown_as_the_shell_of_the_reader_finds_them() {
        let path = Some(OsStr::new("/usr/bin:/usr/local/bin"));
        let name = |started| name(Some(OsStr::new(started)), path);
        assert_eq!(name("target/release/trunkline"), "target/release/trunkline");
        assert_eq!(name("/usr/local/bin/trunkline"), "trunkline");
        assert_eq!(name("trunkline"), "trunkline");
    }

    #[test]
    fn without_an_engine_the_text_says_what_is_missing() {
        let config = Config::parse("", "", &|_| None).unwrap();
        let text = text("trunkline", &config, "no file", 5070, &Plan::default(), Some("install libflite1"));
        assert!(text.contains("install libflite1") && text.contains(":5070"), "{text}");
    }
}

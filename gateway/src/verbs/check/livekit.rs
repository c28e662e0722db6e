//! The LiveKit server and its Redis, tried as a call would: reached, let in, and of the same time.

use super::{Came, Report};
use std::time::Duration;
use trunkline_config::{Backend, Config, LiveKit};
use trunkline_livekit::{Admission, JoinError, Settings, probe};

/// Requests over Redis expire within three seconds of being sent.
const CLOCK: Duration = Duration::from_secs(3);

pub(super) fn look(report: &mut Report, config: &Config) {
    let Some(livekit) = &config.livekit else { return };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report.add(Came::Fail, "LiveKit", error.to_string()),
    };
    runtime.block_on(async {
        server(report, config, livekit).await;
        if let Some(redis) = &config.redis {
            let settings = crate::authority::settings(redis);
            let found =
                settings.check().await.map(|version| format!("{}, version {version}", settings.place()));
            report.result("Redis", found.map_err(|fault| fault.to_string()));
        }
    });
    if config.rooms.backend == Backend::Local {
        report.add(
            Came::Note,
            "rooms",
            "in process, because rooms.backend says local: the LiveKit server is not used",
        );
    }
}

async fn server(report: &mut Report, config: &Config, livekit: &LiveKit) {
    let somebody = Admission {
        room: "trunkline-check".into(),
        identity: "trunkline-check".into(),
        ..Admission::default()
    };
    let token = match somebody.sign(&livekit.api_key, livekit.api_secret.reveal()) {
        Ok(token) => token,
        Err(fault) => return report.add(Came::Fail, "LiveKit", fault),
    };
    let mut roots = Vec::new();
    for path in &config.rooms.roots {
        match std::fs::read(path) {
            Ok(pem) => roots.push(pem),
            Err(error) => {
                return report.add(Came::Fail, "rooms.roots", format!("{}: {error}", path.display()));
            }
        }
    }
    match probe(&Settings { bind: config.rooms.bind, extra_roots: roots }, &livekit.url, &token).await {
        Ok(probed) => {
            report.add(Came::Ok, "LiveKit", format!("{} takes our key", livekit.url));
            match probed.clock {
                Some(off) if off > CLOCK => {
                    let found = format!(
                        "the clock of this machine or of the LiveKit server is off by {} s; requests between them \
                         expire: set both by NTP",
                        off.as_secs()
                    );
                    report.add(Came::Fail, "clock", found);
                }
                _ => report.add(Came::Ok, "clock", "as the LiveKit server's"),
            }
        }
        Err(JoinError::Refused { status: 401, why }) => {
            let found =
                format!("it does not take our token ({why}): is api_key or api_secret another one there?");
            report.add(Came::Fail, "LiveKit", found);
        }
        Err(error) => report.add(Came::Fail, "LiveKit", error.to_string()),
    }
}

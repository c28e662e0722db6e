//! Who decides about calls where livekit-server owns trunks and rules: it is asked over psrpc, while the call waits.
//!
//! The signalling thread sends a [`Question`], which a task of its own carries to the server within psrpc's three
//! seconds; a [`Told`] comes back by the loop. Where there is no Redis the plan in the store decides, at once.

use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use trunkline_config::Redis;
use trunkline_psrpc::{
    Bus, EvaluateSipDispatchRulesRequest, EvaluateSipDispatchRulesResponse, GetSipTrunkAuthenticationRequest,
    GetSipTrunkAuthenticationResponse, PsrpcError, RecordCallContextRequest, RedisSettings, Tls,
    UpdateSipCallStateRequest,
};

/// Questions that may wait to be sent; beyond that a call is refused with 503.
pub const QUESTIONS: usize = 1_024;

/// Questions that are under way at a time; each lasts three seconds at most.
const AT_ONCE: usize = 512;

/// What a call asks.
#[derive(Debug)]
pub struct Question {
    /// Whose call it is.
    pub serial: u64,
    pub ask: Ask,
}

#[derive(Debug)]
pub enum Ask {
    /// May it come in?
    Trunk(Box<GetSipTrunkAuthenticationRequest>),
    /// Where does it go?
    Rules(Box<EvaluateSipDispatchRulesRequest>),
    /// How it is; nothing comes back.
    State(Box<UpdateSipCallStateRequest>),
    /// How it was.
    Context(Box<RecordCallContextRequest>),
}

/// What the server says.
#[derive(Debug)]
pub struct Told {
    pub serial: u64,
    pub said: Said,
}

#[derive(Debug)]
pub enum Said {
    Trunk(Result<Box<GetSipTrunkAuthenticationResponse>, PsrpcError>),
    Rules(Result<Box<EvaluateSipDispatchRulesResponse>, PsrpcError>),
}

/// Redis as the bus wants it.
pub fn settings(redis: &Redis) -> RedisSettings {
    RedisSettings {
        address: redis.address.clone(),
        username: redis.username.clone(),
        password: redis.password.reveal().to_owned(),
        db: redis.db,
        tls: redis.tls.as_ref().map(|tls| Tls {
            insecure: tls.insecure,
            ca: tls.ca_cert_file.clone(),
            certificate: tls.client_cert_file.clone(),
            key: tls.client_key_file.clone(),
        }),
        sentinel_master: redis.sentinel_master_name.clone(),
        sentinel_username: redis.sentinel_username.clone(),
        sentinel_password: redis.sentinel_password.reveal().to_owned(),
        sentinels: redis.sentinel_addresses.clone(),
        cluster: redis.cluster_addresses.clone(),
        dial_timeout: redis.dial_timeout,
        read_timeout: redis.read_timeout,
    }
}

/// Carries questions to the server and answers back, each on its own, until nobody asks any more.
pub async fn carry(bus: Bus, mut questions: mpsc::Receiver<Question>, tell: mpsc::Sender<Told>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Question { serial, ask }) = questions.recv().await {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (bus, tell) = (bus.clone(), tell.clone());
        tokio::spawn(async move {
            let _place = place;
            let said = match ask {
                Ask::Trunk(request) => {
                    Said::Trunk(bus.get_sip_trunk_authentication(&request).await.map(Box::new))
                }
                Ask::Rules(request) => {
                    Said::Rules(bus.evaluate_sip_dispatch_rules(&request).await.map(Box::new))
                }
                Ask::State(request) => return best_effort(bus.update_sip_call_state(&request).await),
                Ask::Context(request) => return best_effort(bus.record_call_context(&request).await),
            };
            // A program that ends meanwhile needs no answer.
            let _ = tell.send(Told { serial, said }).await;
        });
    }
}

/// The open server does nothing with these: that it is away is told elsewhere.
fn best_effort(done: Result<(), PsrpcError>) {
    if let Err(error) = done {
        tracing::debug!("the state of a call was not taken: {error}");
    }
}

//! `/status`, `/calls`, `/drain`.

use super::Request;
use super::desk::{Desk, Refused};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Ended calls that are listed when nobody says how many.
const MOST: usize = 50;

#[derive(Debug, Deserialize)]
pub struct Most {
    most: Option<usize>,
}

pub async fn status(State(desk): State<Desk>) -> Result<Json<super::Status>, Refused> {
    desk.ask(Request::Status).await.map(Json)
}

pub async fn list(State(desk): State<Desk>, Query(query): Query<Most>) -> Result<Json<Value>, Refused> {
    let most = query.most.unwrap_or(MOST);
    let up = desk.ask(Request::Calls).await?;
    let ended = desk.records(move |records| records.cdrs(most)).await?;
    Ok(Json(json!({ "up": up, "ended": ended })))
}

pub async fn show(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Value>, Refused> {
    let shown = desk
        .records(move |records| {
            records.flush();
            let cdr = records.cdr(&id)?;
            let timeline = records.timeline(&cdr.id)?;
            Ok(json!({ "cdr": cdr, "timeline": timeline }))
        })
        .await?;
    Ok(Json(shown))
}

pub async fn hang_up(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    let asked = id.clone();
    match desk.ask(|reply| Request::HangUp { id: asked, reply }).await? {
        1 => Ok(StatusCode::NO_CONTENT),
        0 => Err(Refused::Unknown { kind: "call that is up with id", id }),
        several => {
            Err(Refused::Invalid(format!("{several} calls that are up begin with {id}: give more of the id")))
        }
    }
}

pub async fn pcap(State(desk): State<Desk>, Path(id): Path<String>) -> Result<impl IntoResponse, Refused> {
    let bytes = desk
        .records(move |records| {
            records.flush();
            let cdr = records.cdr(&id)?;
            let timeline = records.timeline(&cdr.id)?;
            let recording = cdr.recording.as_ref().map(PathBuf::from);
            trunkline_records::pcap(&timeline, &cdr, recording.as_deref())
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/vnd.tcpdump.pcap")], bytes))
}

pub async fn drain(State(desk): State<Desk>) -> Result<StatusCode, Refused> {
    desk.tell(Request::Drain).await.map(|()| StatusCode::ACCEPTED)
}

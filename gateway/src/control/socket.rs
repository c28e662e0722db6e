//! The control socket's file: made for its owner alone, and for one process at a time.

use super::server::ControlError;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// Where the socket of a state folder is.
#[must_use]
pub fn path_in(state: &Path) -> PathBuf {
    state.join("control.sock")
}

/// Binds the socket. One that nobody listens on is left over from a crash and is replaced; one that
/// somebody listens on is an error. Must be called inside a runtime.
///
/// # Errors
/// [`ControlError::AlreadyRunning`], or what the file system says.
pub async fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    let failed = |source: io::Error| ControlError::Socket { path: path.display().to_string(), source };
    match UnixStream::connect(path).await {
        Ok(running) => return Err(already_running(&running, path)),
        Err(error) if nobody_listens(&error) => {}
        Err(error) => return Err(failed(error)),
    }
    bind_private(path).map_err(failed)
}

/// Is another process serving this state folder? Asked before anything is opened: its ports and its store
/// are taken as well, and to say so would send people to look for another program.
///
/// # Errors
/// [`ControlError::AlreadyRunning`].
pub async fn nobody_answers(path: &Path) -> Result<(), ControlError> {
    match UnixStream::connect(path).await {
        Ok(running) => Err(already_running(&running, path)),
        Err(_) => Ok(()),
    }
}

fn already_running(running: &UnixStream, path: &Path) -> ControlError {
    let pid = running.peer_cred().ok().and_then(|peer| peer.pid());
    ControlError::AlreadyRunning { pid, path: path.display().to_string() }
}

/// Does this error of `connect` say that no process serves the socket?
#[must_use]
pub fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// A socket has the mode that the umask leaves until `chmod`; so it is bound in a folder that nobody
/// else may enter, given its mode, and moved over whatever stood at `path`.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent)?;
    let private = parent.join(format!(".control.{}", std::process::id()));
    let _ = fs::remove_dir_all(&private);
    DirBuilder::new().mode(0o700).create(&private)?;
    let bound = private.join("s");
    let result = UnixListener::bind(&bound).and_then(|listener| {
        fs::set_permissions(&bound, Permissions::from_mode(0o600))?;
        fs::rename(&bound, path)?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&private);
    result
}

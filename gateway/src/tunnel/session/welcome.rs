//! What a Welcome is worth to the rest of the gateway: that the tunnel is open, and what
//! time the cloud has.

use fournil_protocol::hello::{Mode, Welcome};

use super::Terms;
use crate::tunnel::state::Phase;

/// A welcome is late by its way here, a clock that was set is off by more.
const OFFSET_STEP_MS: u64 = 5_000;

pub(super) fn announce<L>(terms: &Terms<L>, welcome: &Welcome) {
    let is_restricted = welcome.mode != Mode::Normal as i32;
    let now_ms = (terms.ambient.wall_ms)();
    terms.state.send_modify(|state| {
        state.phase = Phase::Connected;
        state.since_ms = now_ms;
        state.next_try_ms = None;
        state.sessions += 1;
        state.is_restricted = is_restricted;
    });
    tracing::info!(
        tunnel.generation = welcome.session_generation,
        tunnel.up_durable = welcome.up_durable,
        tunnel.down_resume_from = welcome.down_resume_from,
        tunnel.is_restricted = is_restricted,
        "session begins"
    );
}

/// Deadlines are judged by the cloud's time before the first pong has measured it. What
/// was measured before is better, unless a clock was set in the meantime.
pub(super) fn seed_offset<L>(terms: &Terms<L>, server_time_ms: i64) {
    if server_time_ms <= 0 {
        return;
    }
    let wall_ms = (terms.ambient.wall_ms)();
    let known_ms = terms.cloud_offset.cloud_ms(wall_ms);
    if known_ms.is_none_or(|ms| ms.abs_diff(server_time_ms) > OFFSET_STEP_MS) {
        terms.cloud_offset.measured(server_time_ms.saturating_sub(wall_ms), wall_ms);
    }
}

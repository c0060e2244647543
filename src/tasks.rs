//! The edge of every task of the root: spawned through the tracker, named while it runs, and a
//! panic is caught, counted and logged there instead of vanishing.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

/// Spawns tasks and knows which are running.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    panics: AtomicU64,
    running: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tasks {
    /// The tracker, for the crates that spawn their own.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Panics caught so far.
    pub fn panics(&self) -> u64 {
        self.state.panics.load(Ordering::Relaxed)
    }

    /// Counts and logs a panic that was caught elsewhere, in a request.
    pub fn note_panic(&self, name: &'static str, payload: &(dyn std::any::Any + Send)) {
        self.state.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!(task = name, "panicked: {}", panic_text(payload));
    }

    /// Spawns a named task.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        *self.state.running.lock().entry(name).or_default() += 1;
        let tasks = self.clone();
        self.tracker.spawn(async move {
            if let Err(payload) = AssertUnwindSafe(task).catch_unwind().await {
                tasks.note_panic(name, payload.as_ref());
            }
            tasks.ended(name);
        });
    }

    /// What is running, such as `connection × 3, listener`.
    pub fn pending(&self) -> String {
        let running = self.state.running.lock();
        let own: u64 = running.values().sum();
        let others = (self.tracker.len() as u64).saturating_sub(own);
        let mut parts: Vec<String> =
            running.iter().map(|(name, count)| format!("{name} × {count}")).collect();
        if others > 0 {
            parts.push(format!("background job × {others}"));
        }
        parts.join(", ")
    }

    /// Running tasks of one name.
    pub fn running(&self, name: &str) -> u64 {
        self.state.running.lock().get(name).copied().unwrap_or(0)
    }

    fn ended(&self, name: &'static str) {
        let mut running = self.state.running.lock();
        if let Some(count) = running.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                running.remove(name);
            }
        }
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_are_counted_and_tasks_named() {
        let tasks = Tasks::default();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn("waiter", async move {
            let _ = released.await;
        });
        tasks.spawn("faulty", async { panic!("on purpose") });
        assert!(tasks.pending().contains("waiter × 1"));
        let _ = release.send(());
        tasks.tracker().close();
        tasks.tracker().wait().await;
        assert_eq!((tasks.panics(), tasks.pending()), (1, String::new()));
    }
}

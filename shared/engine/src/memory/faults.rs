//! Faults on demand, at every port call: failed, succeeded but reported failed, crashed.
//!
//! A crash is a call that never returns: whoever drives the use-case's future sees it pending with
//! [`Faults::take_crash`] true, and drops it, as a dying process would. With interleaving on, every
//! call first yields once, so that a driver can run several use-cases in any order it likes.

use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use quittance_core::fault::Fault;

/// What happens to one port call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Injection {
    /// Nothing special.
    None,
    /// The process dies before the call has any effect.
    CrashBefore,
    /// The call takes effect, then the process dies.
    CrashAfter,
    /// The call fails and has no effect.
    FailBefore,
    /// The call takes effect, but reports an unknown outcome.
    FailAfter,
}

/// One port call, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number, from 0, since the world began.
    pub n: u64,
    /// Port and method, as in `ledger.commit`.
    pub name: &'static str,
}

/// The switchboard that all memory ports of one world share.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Inner>>);

type Script = Box<dyn FnMut(Call) -> Injection + Send>;

struct Inner {
    calls: u64,
    crashed: bool,
    interleave: bool,
    script: Script,
    trace: Option<Vec<&'static str>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            calls: 0,
            crashed: false,
            interleave: false,
            script: Box::new(|_| Injection::None),
            trace: None,
        })))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// Replaces the script.
    pub fn follow(&self, script: impl FnMut(Call) -> Injection + Send + 'static) {
        self.inner().script = Box::new(script);
    }

    /// Ends all injections.
    pub fn calm(&self) {
        self.follow(|_| Injection::None);
    }

    /// Makes every call yield once before it happens.
    pub fn interleave(&self, on: bool) {
        self.inner().interleave = on;
    }

    /// Starts to record the names of calls.
    pub fn record(&self) {
        self.inner().trace = Some(Vec::new());
    }

    /// Returns the names recorded so far.
    pub fn trace(&self) -> Vec<&'static str> {
        self.inner().trace.clone().unwrap_or_default()
    }

    /// Returns how many calls were made so far.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Tells whether a crash was injected since the last time of asking.
    pub fn take_crash(&self) -> bool {
        std::mem::take(&mut self.inner().crashed)
    }

    /// Makes one port call through the script. `apply` is the call's effect on the world.
    ///
    /// # Errors
    /// What `apply` returns, or an injected `Fault::Retry`.
    pub async fn call<T: Send>(
        &self,
        name: &'static str,
        apply: impl FnOnce() -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        if self.inner().interleave {
            yield_once().await;
        }
        match self.next(name) {
            Injection::None => apply(),
            Injection::CrashBefore => self.crash().await,
            Injection::FailBefore => Err(Fault::retry(format!("{name}: injected, no effect"))),
            Injection::CrashAfter => {
                drop(apply());
                self.crash().await
            }
            Injection::FailAfter => {
                apply()?;
                Err(Fault::retry(format!("{name}: injected, outcome unknown")))
            }
        }
    }

    fn next(&self, name: &'static str) -> Injection {
        let mut inner = self.inner();
        let call = Call {
            n: inner.calls,
            name,
        };
        inner.calls += 1;
        if let Some(trace) = &mut inner.trace {
            trace.push(name);
        }
        (inner.script)(call)
    }

    async fn crash<T>(&self) -> T {
        self.inner().crashed = true;
        pending().await
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn effects_and_answer(injection: Injection) -> (u32, Option<Result<(), Fault>>) {
        let faults = Faults::default();
        faults.follow(move |_| injection);
        let mut effects = 0;
        let answer = faults
            .call("port.method", || {
                effects += 1;
                Ok(())
            })
            .now_or_never();
        assert_eq!(faults.take_crash(), answer.is_none());
        (effects, answer)
    }

    #[test]
    fn each_fault_has_its_two_faces() {
        assert_eq!(effects_and_answer(Injection::None), (1, Some(Ok(()))));
        assert_eq!(effects_and_answer(Injection::CrashBefore), (0, None));
        assert_eq!(effects_and_answer(Injection::CrashAfter), (1, None));
        let (effects, answer) = effects_and_answer(Injection::FailBefore);
        assert!(effects == 0 && matches!(answer, Some(Err(Fault::Retry { .. }))));
        let (effects, answer) = effects_and_answer(Injection::FailAfter);
        assert!(effects == 1 && matches!(answer, Some(Err(Fault::Retry { .. }))));
    }
}

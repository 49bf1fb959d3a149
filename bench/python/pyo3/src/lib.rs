//! bench/python/pyo3/src/lib.rs — Rust futures as Python coroutines by PyO3's `experimental-async`, as a peer.
// SPDX-License-Identifier: MIT
use pyo3::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Suspends whenever it is polled. PyO3 yields None when the waker has been called meanwhile.
struct Forever;

impl Future for Forever {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn levels(depth: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    if depth <= 1 {
        Box::pin(Forever)
    } else {
        Box::pin(async move { levels(depth - 1).await })
    }
}

#[pyfunction]
async fn immediate_none() {}

#[pyfunction]
async fn immediate_value() -> i32 {
    1000
}

#[pyfunction]
async fn nested(depth: usize) {
    levels(depth).await
}

/// Awaits `count` futures of its own kind.
#[pyfunction]
async fn awaits_own(count: usize) {
    for _ in 0..count {
        std::hint::black_box(Box::pin(immediate_none())).await
    }
}

#[pymodule]
fn pyo3_peer(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(immediate_none, module)?)?;
    module.add_function(wrap_pyfunction!(immediate_value, module)?)?;
    module.add_function(wrap_pyfunction!(nested, module)?)?;
    module.add_function(wrap_pyfunction!(awaits_own, module)?)
}

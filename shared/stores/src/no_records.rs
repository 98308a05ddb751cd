//! Record stores, which this version does not reach: whoever asks is blocked.

use std::collections::BTreeSet;

use async_trait::async_trait;
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Cursor;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{
    Draft, ObjectPage, RecordEraser, RecordReader, Roster, Searched, Standing, Wanted,
};

use crate::AwsStores;

const UNSUPPORTED: Fault = Fault::Block(BlockReason::UnsupportedStore);

#[async_trait]
impl RecordReader for AwsStores {
    async fn objects(&self, _: &Store, _: Option<&Cursor>) -> Result<ObjectPage, Fault> {
        Err(UNSUPPORTED)
    }

    async fn search(
        &self,
        _: &Store,
        _: &ObjectRef,
        _: &Roster,
        _: Wanted,
    ) -> Result<Searched, Fault> {
        Err(UNSUPPORTED)
    }
}

#[async_trait]
impl RecordEraser for AwsStores {
    async fn prepare(
        &self,
        _: &Store,
        _: &ObjectRef,
        _: &Roster,
        _: &BTreeSet<u32>,
    ) -> Result<Draft, Fault> {
        Err(UNSUPPORTED)
    }

    async fn complete(
        &self,
        _: &Store,
        _: &ObjectRef,
        _: &Draft,
        _: &str,
    ) -> Result<Option<String>, Fault> {
        Err(UNSUPPORTED)
    }

    async fn standing(&self, _: &Store, _: &ObjectRef) -> Result<Standing, Fault> {
        Err(UNSUPPORTED)
    }
}

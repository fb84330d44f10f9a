//! STUB
use super::{Error, Found, Health, Identity, Upcoming};
use crate::query::{List, Question};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::sync::Arc;

/// STUB
pub struct Chaoscope {}

#[allow(clippy::todo, clippy::unused_async, missing_docs)]
impl Chaoscope {
    pub async fn runs(&self, _question: &Question, _who: &Identity) -> Result<Found<Arc<Run>>, Error> {
        todo!()
    }
    pub async fn events(&self, _question: &Question, _who: &Identity) -> Result<Found<Arc<Event>>, Error> {
        todo!()
    }
    pub async fn upcoming(&self, _question: &Question, _who: &Identity) -> Result<Found<Upcoming>, Error> {
        todo!()
    }
    pub async fn values(&self, _list: &List, _question: &Question, _who: &Identity) -> Result<Found<String>, Error> {
        todo!()
    }
    pub async fn check(&self, _who: &Identity) -> Health {
        todo!()
    }
}

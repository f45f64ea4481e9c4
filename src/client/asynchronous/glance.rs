//! The time, as the layers of a service go by it.

use super::Agent;
use crate::error::TransportError;
use crate::time::Now;

impl Agent {
    /// What the agent's own transport takes for the time.
    pub(crate) fn glance(&self) -> Result<Now, TransportError> {
        self.driver().transport.glance()
    }
}

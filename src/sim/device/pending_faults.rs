//! Counts a device's scripted faults off as they strike. The part of the simulator that is struck carries them out.

use crate::sim::script::fault::{Act, ScriptedFault};
use crate::sim::script::fault_point::FaultPoint;

/// A device's faults, counted off as they strike.
#[derive(Debug, Default)]
pub(in crate::sim) struct PendingFaults {
    faults: Vec<ScriptedFault>,
    /// For each fault, how many occasions it has seen and how often it has struck.
    counts: Vec<(u32, u32)>,
}

impl PendingFaults {
    pub(in crate::sim) fn new(faults: Vec<ScriptedFault>) -> Self {
        Self {
            counts: vec![(0, 0); faults.len()],
            faults,
        }
    }

    /// The fault that strikes at this occasion, if any: the first in the file that is not used up.
    pub(in crate::sim) fn strike(&mut self, at: FaultPoint) -> Option<Act> {
        self.strikes(at, true).pop()
    }

    /// All faults that strike at once; a boot may be both late and in vain.
    pub(in crate::sim) fn strike_all(&mut self, at: FaultPoint) -> Vec<Act> {
        self.strikes(at, false)
    }

    /// Those that have not struck yet.
    pub(in crate::sim) fn idle(&self) -> impl Iterator<Item = &ScriptedFault> {
        let all = self.faults.iter().zip(&self.counts);
        all.filter(|(_, (_, struck))| *struck == 0).map(|(f, _)| f)
    }

    fn strikes(&mut self, at: FaultPoint, only_one: bool) -> Vec<Act> {
        let any = at.is_endpoint();
        let mut acts = Vec::new();
        for (fault, (seen, struck)) in self.faults.iter().zip(&mut self.counts) {
            let here = fault.at == at || (any && fault.at == FaultPoint::Any);
            if !here || fault.times.is_some_and(|t| *struck >= t) {
                continue;
            }
            *seen += 1;
            if *seen <= fault.skip || (only_one && !acts.is_empty()) {
                continue;
            }
            *struck += 1;
            acts.push(fault.act.clone());
        }
        acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::fault::tests::read;

    #[test]
    fn faults_are_counted_off() {
        let faults = read(
            r#"{ at = "check", do = "status", status = 500, skip = 1, times = 2 },
               { at = "any", do = "odd", always = true }"#,
        )
        .unwrap();
        let mut book = PendingFaults::new(faults);
        let status = Some(Act::Status {
            status: 500,
            after: 0,
        });
        let idle = |book: &PendingFaults| book.idle().count();
        assert_eq!(idle(&book), 2);
        assert_eq!(book.strike(FaultPoint::Check), Some(Act::Odd));
        assert_eq!(idle(&book), 1);
        assert_eq!(book.strike(FaultPoint::Check), status);
        assert_eq!(book.strike(FaultPoint::Version), Some(Act::Odd));
        assert_eq!(book.strike(FaultPoint::Check), status);
        assert_eq!(book.strike(FaultPoint::Check), Some(Act::Odd));
        assert_eq!(idle(&book), 0);
        assert_eq!(book.strike(FaultPoint::Boot), None);
        assert_eq!(book.strike(FaultPoint::Relay), None);
    }
}

//! Whether the kernel has what it should.

use std::collections::{BTreeMap, HashMap};

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::firewall::nftables::Nftables;
use crate::firewall::{compile, network, others, ports};
use crate::network::Network;
use crate::nft::{self, Chain, Element, Expression, Rule};

impl Nftables {
    /// Whether the rules of these networks and the elements of these endpoints are there, and those that are there without any network;
    /// nothing is said about other networks.
    ///
    /// It costs reading these rules and asking for these elements: for one network and one container two tenths of a
    /// millisecond.
    pub(super) fn is_intact(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<bool> {
        let networks: Vec<&Network> =
            registers.iter().map(|(network, _)| *network).filter(|network| network.is_bridge()).collect();
        let mut expected = compile::base_chains();
        expected.extend(networks.iter().flat_map(|network| network::chains(network)));
        Ok(self.has_rules(&expected)? && self.has_elements(registers)? && self.are_admitted(&networks)?)
    }

    fn has_rules(&mut self, expected: &[Chain]) -> Result<bool> {
        let table = self.table.clone();
        let scope = nft::Scope { family: nft::Family::Inet, table: &table };
        // A rule takes the kernel 4 us to tell, so those of other networks are not asked for.
        for chain in expected {
            let found = nft::dump_rules(&mut self.socket, scope, Some(&chain.name))?;
            if !are_same(&found, &chain.rules) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_elements(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<bool> {
        let mut expected: BTreeMap<&'static str, Vec<Element>> = BTreeMap::new();
        for (network, endpoints) in registers.iter().filter(|(network, _)| network.is_bridge()) {
            let published = endpoints.iter().flat_map(|endpoint| ports::elements(network, endpoint));
            for (set, element) in network::elements(network).into_iter().chain(published) {
                expected.entry(set).or_default().push(element);
            }
        }
        expected.insert(others::MAP, others::elements(&others::bridges()?));
        let table = self.table.clone();
        let scope = nft::Scope { family: nft::Family::Inet, table: &table };
        for (set, elements) in expected {
            let Some(found) = nft::get_elements(&mut self.socket, scope, set, &elements)? else { return Ok(false) };
            let found: HashMap<_, _> = found.into_iter().map(|element| (element.key, element.data)).collect();
            if elements.iter().any(|element| found.get(&element.key) != Some(&element.data)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether rules do the same, whatever they have counted.
fn are_same(found: &[(String, Rule)], expected: &[Rule]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|((_, found), expected)| do_same(&found.expressions, &expected.expressions))
}

/// Whether expressions do the same, whatever they have counted.
pub(super) fn do_same(found: &[Expression], expected: &[Expression]) -> bool {
    let is_counter = |expression: &Expression| matches!(expression, Expression::Counter { .. });
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(one, other)| one == other || is_counter(one) && is_counter(other))
}

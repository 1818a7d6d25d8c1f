//! Rules in words, and what to do about a chain that drops.

use super::xt;
use crate::nft::{Chain, Expression, Family, Rule, Table};

/// A rule, in the words of `nft(8)`, and those of `iptables(8)` for what only that knows.
pub(super) fn rule(table: &Table, chain: &str, position: usize) -> String {
    let rule = table.chain(chain).and_then(|chain| chain.rules.get(position));
    rule.map_or_else(String::new, |rule| words(table, rule))
}

fn words(table: &Table, rule: &Rule) -> String {
    let shown = table.show_rule(rule);
    let is_ipv4 = table.family != Family::Ip6;
    let mut rest = shown.as_str();
    let mut text = String::with_capacity(shown.len());
    for expression in &rule.expressions {
        let (sign, words) = match expression {
            Expression::Match { name, revision, info } => {
                (format!("xt match \"{name}\""), xt::match_words(name, *revision, info, is_ipv4))
            }
            Expression::Target { name, revision, info } => {
                (format!("xt target \"{name}\""), xt::target_words(name, *revision, info, is_ipv4))
            }
            _ => continue,
        };
        let Some((before, behind)) = rest.split_once(&sign) else { continue };
        text.push_str(before);
        text.push_str(&words);
        rest = if words.is_empty() { behind.trim_start() } else { behind };
    }
    text.push_str(rest);
    text
}

/// What the maker of a rule says about it: in nftables' own way, or in that of iptables.
pub(super) fn comment(rule: &Rule) -> Option<String> {
    let of_iptables = |expression: &Expression| match expression {
        Expression::Match { name, info, .. } if name == "comment" => {
            let end = info.iter().position(|byte| *byte == 0).unwrap_or(info.len());
            Some(String::from_utf8_lossy(&info[..end]).into_owned())
        }
        _ => None,
    };
    rule.comment.clone().or_else(|| rule.expressions.iter().find_map(of_iptables))
}

/// What to do about a chain that drops a packet, by who has made it.
pub(super) fn hint(table: &Table, chain: &Chain) -> String {
    let (family, name) = (table.family.name(), &table.name);
    let of_iptables = matches!(table.family, Family::Ip | Family::Ip6)
        && matches!(name.as_str(), "filter" | "nat" | "mangle" | "raw" | "security");
    if name == "firewalld" {
        return "this is firewalld's: `firewall-cmd --list-all` shows what it lets through".to_owned();
    }
    if !of_iptables {
        return format!("`nft -a list chain {family} {name} {}` shows the chain", chain.name);
    }
    let program = if table.family == Family::Ip6 { "ip6tables" } else { "iptables" };
    if chain.name == "FORWARD" && table.chain("DOCKER-USER").is_some() {
        return format!("`{program} -I DOCKER-USER …` comes before Docker's own rules");
    }
    format!("`{program} -t {name} -vnL --line-numbers` shows the table")
}

//! One set of limits over another: a pure function on JSON, so that nothing of a configuration is lost.

use serde_json::Value;

/// Keys that tell which device or page size an entry of a list is about.
const IDENTITIES: [&[&str]; 2] = [&["major", "minor"], &["pageSize"]];

/// Sets what `changes` has in `kept`: field by field in objects, entry by entry in lists about devices or page sizes. What
/// has no value changes nothing. Rules of devices (`devices`) are taken as a whole, because their order counts.
pub(super) fn merge(kept: &mut Value, changes: &Value) {
    match (kept, changes) {
        (_, Value::Null) => {}
        (Value::Object(kept), Value::Object(changes)) => {
            for (key, value) in changes {
                match (key.as_str(), kept.get_mut(key)) {
                    (_, None) if value.is_null() => {}
                    ("devices", _) | (_, None) => drop(kept.insert(key.clone(), value.clone())),
                    (_, Some(old)) => merge(old, value),
                }
            }
        }
        (Value::Array(kept), Value::Array(changes)) => {
            for entry in changes {
                match kept.iter_mut().find(|old| same(old, entry)) {
                    Some(old) => merge(old, entry),
                    None => kept.push(entry.clone()),
                }
            }
        }
        (kept, changes) => *kept = changes.clone(),
    }
}

/// Whether two entries are about the same thing.
fn same(one: &Value, other: &Value) -> bool {
    let by = |keys: &[&str]| keys.iter().all(|key| one.get(key).is_some() && one.get(key) == other.get(key));
    IDENTITIES.iter().any(|keys| by(keys))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_is_set_and_the_rest_stays() {
        let check = |mut kept: Value, changes: Value, expected: Value| {
            merge(&mut kept, &changes);
            assert_eq!(kept, expected, "{changes}");
        };
        check(Value::Null, json!({"pids": {"limit": 5}}), json!({"pids": {"limit": 5}}));
        check(
            json!({"memory": {"limit": 1, "swap": 2}, "cpu": {"cpus": "0"}}),
            json!({"memory": {"limit": 3, "swap": null}, "pids": {"limit": 4}, "network": null}),
            json!({"memory": {"limit": 3, "swap": 2}, "cpu": {"cpus": "0"}, "pids": {"limit": 4}}),
        );
        check(json!({"devices": [{"major": 1, "minor": 3}]}), json!({"devices": []}), json!({"devices": []}));
        let rate = |minor: u32, rate: u32| json!({"major": 8, "minor": minor, "rate": rate});
        check(
            json!({"blockIO": {"throttleReadBpsDevice": [rate(0, 1), rate(1, 1)]}}),
            json!({"blockIO": {"throttleReadBpsDevice": [rate(1, 2), rate(2, 3)]}}),
            json!({"blockIO": {"throttleReadBpsDevice": [rate(0, 1), rate(1, 2), rate(2, 3)]}}),
        );
        check(
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}),
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 2}]}),
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 2}]}),
        );
    }
}

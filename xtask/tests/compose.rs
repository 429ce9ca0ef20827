//! compose.yaml is what the Compose Specification says, and says what the project says.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

use serde_json::{Value, json};

const COMPOSE: &str = include_str!("../../compose.yaml");
const SCHEMA: &str = include_str!("compose-spec/compose-spec.json");

fn compose() -> Value {
    // Merge keys are YAML's, not JSON's: what the schema judges is the merged file.
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(COMPOSE).unwrap();
    yaml.apply_merge().unwrap();
    serde_json::to_value(yaml).unwrap()
}

fn violations(compose: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(compose).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn it_satisfies_the_schema() {
    assert_eq!(violations(&compose()), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let check = |pointer: &str, wrong: Value| {
        let mut compose = compose();
        *compose.pointer_mut(pointer).unwrap() = wrong;
        let violations = violations(&compose);
        assert!(
            violations.iter().any(|violation| violation.starts_with(pointer)),
            "{pointer}: {violations:?}"
        );
    };
    check("/services/nats/image", json!(7));
    check("/services/nats", json!({"imgae": "nats"}));
    check("/services/api/healthcheck", json!({"test": "true", "intervall": "1s"}));
    check("/services", json!([]));
}

/// Whoever can connect is believed to be whoever he says: nothing may listen beyond this machine.
#[test]
fn everything_stays_on_this_machine() {
    for (name, service) in compose()["services"].as_object().unwrap() {
        assert_eq!(service["network_mode"], "host", "{name}");
        assert_eq!(service.get("ports"), None, "{name}");
        for (setting, value) in service["environment"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap();
            if setting == "FILLSTREAM_LISTEN" || setting.ends_with("_URL") {
                assert!(value.contains("127.0.0.1:"), "{name}: {setting}={value}");
            }
        }
    }
    assert!(!COMPOSE.contains("0.0.0.0"));
}

#[test]
fn every_role_runs_and_the_log_is_the_projects_own() {
    let compose = compose();
    for role in ["api", "executor", "projector", "bridge"] {
        assert_eq!(compose["services"][role]["command"], json!(["serve", "--role", role]), "{role}");
    }
    let mounted = compose["services"]["nats"]["volumes"].to_string();
    assert!(mounted.contains("./nats/server.conf"), "{mounted}");
}

//! Permissions, relations and policies through the clients: as agent, user and service, in both mounts.

#[cfg(feature = "blocking")]
mod blocking {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use lumoauth::embed::operations::authz::{
        ExpandRelation, GetResourceAttributes, ListPermissions, SetResourceAttribute, SetUserAttribute,
    };
    use lumoauth::embed::wire::{Request, Response};
    use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, FaultRule, Tenant, UserSeed};
    use lumoauth::error::TransportError;
    use lumoauth::http::Method;
    use lumoauth::{
        Agent, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy, Client,
        Error, Evaluate, EvaluateAll, Subject, Tuple,
    };
    use serde_json::json;

    fn emulator() -> Emulator {
        let agent = AgentSeed::new("agt_1").secret("s").name("bot").capabilities(["tool.use", "abac.manage"]);
        let tenant = Tenant::new("acme")
            .agent(agent)
            .role("editor", ["document.read", "document.write"])
            .user(UserSeed::new("alice").role("editor"))
            .user(UserSeed::new("bob"))
            .api_key(ApiKeySeed::new("alice").key("lmk_1").scopes(["admin"]))
            .relation("document:1", "parent", "folder:1")
            .relation("folder:1", "editor", "user:alice")
            .thing("document", "1", json!({"status": "draft"}))
            .policy(
                json!({"name": "published", "resourceType": "document", "action": "read", "effect": "allow",
                "conditions": {"subject": "resource.status", "operator": "equals", "value": "published"}}),
            );
        Emulator::builder().tenant(tenant).build().unwrap()
    }

    fn service(emulator: &Emulator) -> Client {
        let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme").api_key("lmk_1");
        builder.build_with(emulator.transport()).unwrap()
    }

    fn says(error: Error, expected: &str) {
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_service_asks_about_users_and_agents() {
        let emulator = emulator();
        let authz = service(&emulator).authz();
        let about = |permission: &str, subject| CheckPermission::new(permission).subject(subject);
        assert!(authz.permission("document.read").unwrap().allowed());
        assert!(!authz.permission(about("document.read", Subject::user("bob"))).unwrap().allowed());
        assert!(authz.permission(about("tool.use", Subject::agent("agt_1"))).unwrap().allowed());
        let denied = authz.permission(about("document.read", Subject::user("bob"))).unwrap().require();
        assert!(matches!(denied, Err(Error::Denied { action, .. }) if action == "document.read"));
        assert!(authz.any_permission(CheckAny::new(["document.read", "x"])).unwrap().allowed());
        assert!(!authz.all_permissions(CheckAll::new(["document.read", "x"])).unwrap().allowed());
        let unknown = authz.permission(about("x", Subject::user("nobody"))).unwrap_err();
        assert!(unknown.is_not_found() && unknown.code() == Some("SUBJECT_NOT_FOUND"));

        assert!(authz.relation(Tuple::viewer("document:1", "user:alice")).unwrap().allowed());
        assert!(!authz.relation(Tuple::owner("document:1", "user:alice")).unwrap().allowed());
        authz.write_relation(Tuple::owner("document:1", "user:bob")).unwrap();
        authz.write_relation(Tuple::owner("document:1", "user:bob")).unwrap();
        let tree = authz.expand(ExpandRelation::new("document:1", "viewer")).unwrap();
        assert_eq!(tree.all_subjects().into_iter().collect::<Vec<_>>(), ["user:alice", "user:bob"]);
        authz.delete_relation(Tuple::owner("document:1", "user:bob")).unwrap();
        assert!(!authz.relation(Tuple::owner("document:1", "user:bob")).unwrap().allowed());

        let question = |action| Evaluate::new(("user", "alice"), action, ("document", "1"));
        assert!(authz.evaluate(question("write")).unwrap().allowed());
        let answers = authz.evaluate_all(EvaluateAll::new([question("write"), question("delete")])).unwrap();
        assert!(answers.is_allowed(0) && !answers.is_allowed(1) && answers.require_all().is_err());

        // What the service refuses to an API key is said before it is sent.
        let sent = emulator.count("abac.check").unwrap() + emulator.count("authz.permissions").unwrap();
        says(authz.policy(CheckPolicy::new("document", "read")).unwrap_err(), "is an API key");
        says(authz.list_permissions(ListPermissions::new()).unwrap_err(), "is an API key");
        assert_eq!(
            emulator.count("abac.check").unwrap() + emulator.count("authz.permissions").unwrap(),
            sent
        );
    }

    #[test]
    fn an_agent_and_a_user_ask_the_policies() {
        let emulator = emulator();
        let agent = emulator.agent().unwrap();
        let authz = agent.authz();
        let question = || CheckPolicy::new("document", "read").resource_id("1");
        let decision = authz.policy(question()).unwrap();
        assert_eq!((decision.allowed(), decision.reason()), (false, Some("No policy matched")));
        authz
            .set_resource_attribute(SetResourceAttribute::new("document", "1", "status", "published"))
            .unwrap();
        let decision = authz.policy(question()).unwrap();
        assert_eq!(decision.extra()["matchedPolicies"][0]["name"], "published");
        assert!(decision.allowed());
        let of = GetResourceAttributes::new("document", "1");
        assert_eq!(authz.resource_attributes(of).unwrap().values["status"], "published");
        authz.set_user_attribute(SetUserAttribute::new("bob", "department", "sales")).unwrap();

        let token = emulator.user_token("agt_1", "bob", ["abac:read", "authz:read"]).unwrap();
        let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme").user_token(token);
        let user = builder.build_with(emulator.transport()).unwrap().authz();
        assert_eq!(user.my_attributes().unwrap().values["department"], "sales");
        assert!(user.policy(question()).unwrap().allowed());
        assert!(user.list_permissions(ListPermissions::new()).unwrap().permissions.is_empty());
        let refused = user.set_user_attribute(SetUserAttribute::new("bob", "department", "x")).unwrap_err();
        assert!(refused.is_forbidden());
        let definitions = user.attribute_definitions(Default::default()).unwrap();
        assert!(definitions.definitions.iter().any(|own| own.slug == "department"));
    }

    #[test]
    fn many_questions_are_asked_a_hundred_at_a_time_and_stay_in_their_order() {
        let emulator = emulator();
        let authz = service(&emulator).authz();
        let slugs: Vec<String> =
            (0..250).map(|n| if n % 7 == 0 { "document.read".into() } else { format!("p{n}") }).collect();
        let answers = authz.permissions(CheckPermissions::new(&slugs)).unwrap();
        assert_eq!((answers.len(), emulator.count("authz.check_bulk").unwrap()), (250, 3));
        assert!((0..250).all(|n| answers.is_allowed(n) == (n % 7 == 0)));
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(answer.as_ref().unwrap().action(), slugs[n]);
        }

        // The second request fails: what it asked, and what was not asked after it, are failures at their places.
        let (behind, seen) = (emulator.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&seen);
        let transport = move |request: Request| -> Result<Response, TransportError> {
            if counted.fetch_add(1, Ordering::SeqCst) == 1 {
                behind.fault(FaultRule::on("authz.check_bulk").times(1).status(400)).unwrap();
            }
            Ok(behind.handle_in_process(&request).response)
        };
        let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme").api_key("lmk_1");
        let failing = builder.build_with(transport).unwrap().authz();
        let answers = failing.permissions(CheckPermissions::new(&slugs)).unwrap();
        assert_eq!((answers.len(), answers.first_failed().unwrap().0), (250, 100));
        assert!((0..250).all(|n| answers.is_allowed(n) == (n < 100 && n % 7 == 0)));
        assert_eq!(answers.require_all().unwrap_err().to_string(), "denied: p1");
        // All that was answered is allowed, and not all was answered.
        seen.store(0, Ordering::SeqCst);
        let allowed = CheckPermissions::new(["document.read"; 150]);
        let answers = failing.permissions(allowed.clone()).unwrap();
        assert!((0..150).all(|n| answers.is_allowed(n) == (n < 100)));
        assert_eq!(answers.require_all().unwrap_err().status(), Some(400));
        assert!(authz.permissions(allowed).unwrap().require_all().is_ok());
        emulator.fault(FaultRule::on("authz.check_bulk").status(400)).unwrap();
        assert!(authz.permissions(CheckPermissions::new(&slugs)).is_err(), "nothing was answered");

        let agent = emulator.agent().unwrap().authz();
        let checks = (0..101).map(|n| CheckPolicy::new("document", "read").resource_id(n.to_string()));
        let answers = agent.policies(CheckPolicies::new(checks)).unwrap();
        assert_eq!((answers.len(), emulator.count("abac.check_bulk").unwrap()), (101, 2));
        assert!(answers.iter().all(|answer| !answer.as_ref().unwrap().allowed()));
        assert!(matches!(authz.permissions(CheckPermissions::new([""; 0])), Err(Error::Input(_))));
    }

    #[test]
    fn decisions_are_remembered_for_a_moment_if_that_is_wanted() {
        let emulator = emulator();
        let asked = || emulator.count("zanzibar.check").unwrap();
        let builder =
            || Client::builder().base_url(emulator.site().base_url()).tenant("acme").api_key("lmk_1");
        let tuple = || Tuple::viewer("document:1", "user:bob");
        let plain = builder().build_with(emulator.transport()).unwrap().authz();
        for _ in 0..2 {
            assert!(!plain.relation(tuple()).unwrap().allowed());
        }
        assert_eq!(asked(), 2, "off unless it is wanted");

        let client = builder().remember_decisions(Duration::from_secs(3600));
        let client = client.build_with(emulator.transport()).unwrap();
        let authz = client.authz();
        assert!(!authz.relation(tuple()).unwrap().allowed());
        plain.write_relation(tuple()).unwrap();
        emulator.advance(Duration::from_secs(29));
        assert!(!authz.relation(tuple()).unwrap().allowed(), "for 30 s at most");
        assert_eq!(asked(), 3);
        assert!(
            !authz.relation(Tuple::editor("document:1", "user:bob")).unwrap().allowed(),
            "another question"
        );
        emulator.advance(Duration::from_secs(1));
        assert!(authz.relation(tuple()).unwrap().allowed());
        assert_eq!(asked(), 5);
        // Another key is somebody else.
        client.set_api_key("lmk_other").unwrap();
        assert!(authz.relation(tuple()).unwrap_err().is_unauthorized());
        // A failure is not remembered.
        client.set_api_key("lmk_1").unwrap();
        assert!(authz.relation(tuple()).unwrap().allowed());
    }

    #[test]
    fn what_is_remembered_is_one_askers_answer_to_one_question_and_no_denial_outlives_an_allow() {
        let emulator = emulator();
        let asked = |name: &str| emulator.count(name).unwrap();
        let remembering = || {
            let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme");
            builder.remember_decisions(Duration::from_secs(10))
        };
        let token = |user: &str| emulator.user_token("agt_1", user, ["authz:read", "authz:check"]).unwrap();
        let client = remembering().user_token(token("alice")).build_with(emulator.transport()).unwrap();
        let allowed = |client: &Client| client.authz().permission("document.read").unwrap().allowed();
        assert!(allowed(&client) && allowed(&client.clone()));
        assert_eq!(asked("authz.check"), 1);
        // Whoever comes next is asked about anew, and so is the first one after that.
        client.set_user_token(token("bob")).unwrap();
        assert!(!allowed(&client));
        client.set_user_token(token("alice")).unwrap();
        assert!(allowed(&client));
        assert_eq!(asked("authz.check"), 3);

        // The same id of another kind, another permission, other surroundings, another way of asking.
        let service = remembering().api_key("lmk_1").build_with(emulator.transport()).unwrap().authz();
        let about = |subject| CheckPermission::new("document.read").subject(subject);
        assert!(service.permission(about(Subject::user("alice"))).unwrap().allowed());
        assert!(service.permission(about(Subject::agent("alice"))).is_err());
        assert!(!service.permission(about(Subject::user("bob"))).unwrap().allowed());
        assert!(!service.permission(about(Subject::agent("agt_1"))).unwrap().allowed());
        let surrounded = about(Subject::user("alice")).context(json!({"x": 1}));
        assert!(service.permission(surrounded).unwrap().allowed());
        let both = ["document.read", "x"];
        let (any, all) = (|| CheckAny::new(both), || CheckAll::new(both));
        assert!(service.any_permission(any()).unwrap().allowed());
        assert!(!service.all_permissions(all()).unwrap().allowed());
        assert_eq!((asked("authz.check"), asked("authz.check_any"), asked("authz.check_all")), (8, 1, 1));

        // To the second: what was taken back, and what was granted.
        let plain = self::service(&emulator).authz();
        let (old, new) = (Tuple::owner("document:9", "user:alice"), Tuple::owner("document:9", "user:bob"));
        plain.write_relation(old.clone()).unwrap();
        let says = || [old.clone(), new.clone()].map(|tuple| service.relation(tuple).unwrap().allowed());
        assert_eq!(says(), [true, false]);
        plain.delete_relation(old.clone()).unwrap();
        plain.write_relation(new.clone()).unwrap();
        emulator.advance(Duration::from_millis(9_999));
        assert_eq!(says(), [true, false]);
        emulator.advance(Duration::from_millis(1));
        assert_eq!(says(), [false, true]);

        // What an agent is about to do is never answered from memory.
        let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme").client_id("agt_1");
        let builder = builder.client_secret("s").remember_decisions(Duration::from_secs(30));
        let agent = builder.build_with(emulator.transport()).unwrap();
        for _ in 0..2 {
            assert!(agent.is_allowed("tool.use").unwrap());
            agent.require("tool.use").unwrap();
            agent.guard_dynamic("tool.use").unwrap().use_for("tool.use").unwrap();
        }
        assert_eq!(asked("agents.ask"), 6);
    }

    /// The answer to whoever was there before is on its way when the next one comes.
    #[test]
    fn what_was_asked_for_one_user_is_not_remembered_for_the_next() {
        let emulator = emulator();
        let token = |user: &str| emulator.user_token("agt_1", user, ["authz:read"]).unwrap();
        let (client, next) = (Arc::new(OnceLock::<Client>::new()), token("bob"));
        let (behind, own) = (emulator.clone(), Arc::clone(&client));
        let transport = move |request: Request| -> Result<Response, TransportError> {
            let response = behind.handle_in_process(&request).response;
            own.get().unwrap().set_user_token(next.clone()).unwrap();
            Ok(response)
        };
        let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme");
        let builder = builder.user_token(token("alice")).remember_decisions(Duration::from_secs(30));
        let client = client.get_or_init(|| builder.build_with(transport).unwrap());
        assert!(client.authz().permission("document.read").unwrap().allowed());
        assert!(!client.authz().permission("document.read").unwrap().allowed(), "that was alice's");
        assert_eq!(emulator.count("authz.check"), Ok(2));
    }

    #[test]
    fn a_proof_is_of_the_very_action_by_whatever_the_service_answers() {
        lumoauth::guarded_actions! { ReadDocument = "document.read"; }
        fn goes_anywhere<T: Send + Sync + 'static>(own: T) -> T {
            own
        }
        let answered = |body: &'static str| {
            let transport = move |request: Request| -> Result<Response, TransportError> {
                let token = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600}"#;
                let is_token = request.url().path().ends_with("/oauth/token");
                let body = if is_token { token } else { body };
                Ok(Response::new(lumoauth::http::StatusCode::OK, Default::default(), body))
            };
            let builder = Agent::builder().tenant("acme").client_id("agt_1").client_secret("s");
            builder.build_with(transport).unwrap()
        };
        let agent = answered(r#"{"allowed":true,"action":"document.read","audit_id":"aud_1"}"#);
        let proof = goes_anywhere(agent.guard::<ReadDocument>().unwrap());
        let used = std::thread::spawn(move || proof.decision().audit_id().map(str::to_owned)).join().unwrap();
        assert_eq!(used.as_deref(), Some("aud_1"));
        let proof = goes_anywhere(agent.guard_dynamic("document.read").unwrap());
        assert!(proof.use_for("document.write").unwrap_err().is_forbidden());
        for body in [
            r#"{"allowed":true,"action":"document.write"}"#,
            r#"{"allowed":true,"action":"document.read","decision":"deny"}"#,
            r#"{"allowed":true,"action":"document.read","error":"x"}"#,
            r#"{"allowed":"true","action":"document.read"}"#,
            r#"{"allowed":false,"action":"document.read"}"#,
            "{}",
        ] {
            let agent = answered(body);
            assert!(agent.guard::<ReadDocument>().is_err(), "{body}");
            assert!(agent.guard_in::<ReadDocument>(json!({"id": "1"})).is_err(), "{body}");
            assert!(agent.guard_dynamic("document.read").is_err(), "{body}");
            assert!(agent.require("document.read").is_err(), "{body}");
        }
    }

    #[test]
    fn who_has_a_relation_through_two_thousand_others_is_said_whole_or_not_at_all() {
        let emulator = emulator();
        let authz = service(&emulator).authz();
        for number in 0..2_000 {
            let (own, next) = (format!("folder:c{number}"), format!("folder:c{}", number + 1));
            authz.write_relation(Tuple::parent(own, next)).unwrap();
        }
        authz.write_relation(Tuple::owner("folder:c2000", "user:bob")).unwrap();
        authz.write_relation(Tuple::parent("folder:c2000", "folder:c0")).unwrap();
        assert!(authz.relation(Tuple::viewer("folder:c0", "user:bob")).unwrap().allowed());
        assert!(!authz.relation(Tuple::viewer("folder:c0", "user:nobody")).unwrap().allowed());
        let tree = authz.expand(ExpandRelation::new("folder:c0", "viewer")).unwrap();
        assert_eq!(tree.all_subjects().into_iter().collect::<Vec<_>>(), ["user:bob"]);
    }

    #[test]
    fn both_layouts_reach_the_same_routes() {
        let emulator = emulator();
        for organization in [false, true] {
            let builder = Client::builder().base_url(emulator.site().base_url()).api_key("lmk_1");
            let builder = if organization { builder.organization("acme") } else { builder.tenant("acme") };
            let client = builder.build_with(emulator.transport()).unwrap();
            assert!(client.authz().permission("document.read").unwrap().allowed());
            assert!(client.authz().relation(Tuple::viewer("document:1", "user:alice")).unwrap().allowed());
            client.authz().write_relation(Tuple::member("group:1", "user:bob")).unwrap();
            assert_eq!(client.request(Method::GET, "mcp/servers").unwrap().status(), 200);
        }
        let agent = Agent::builder().base_url(emulator.site().base_url()).organization("acme");
        let agent = agent.client_id("agt_1").client_secret("s").build_with(emulator.transport()).unwrap();
        assert!(agent.authz().permission("tool.use").unwrap().allowed());
    }
}

#[cfg(feature = "async")]
mod asynchronous {
    use lumoauth::emulator::Emulator;
    use lumoauth::{CheckPermissions, CheckPolicy, Tuple};

    #[tokio::test]
    async fn the_same_in_async_code() {
        let emulator = Emulator::demo().unwrap();
        let authz = emulator.async_agent().unwrap().authz();
        assert!(authz.permission("document.read").await.unwrap().allowed());
        let tuple = Tuple::viewer("document:doc-123", "agent:research-bot");
        assert!(authz.relation(tuple).await.unwrap().allowed());
        let policy = CheckPolicy::new("document", "read").resource_id("doc-123");
        assert!(authz.policy(policy).await.unwrap().allowed());
        let answers = authz.permissions(CheckPermissions::new(["document.read", "x"])).await.unwrap();
        assert!(answers.is_allowed(0) && !answers.is_allowed(1));
    }
}

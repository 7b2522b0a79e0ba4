//! Every route of the program with every role, and with none.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::db::testing::TestDb;
use crate::identity::permission::{ALL, BUILT_IN_ROLES};
use crate::web::testing::{CSRF, KnownSessions, World, request};
use crate::web::{Access, Method, Route};

/// The routes anybody may call, by method and path. A new one is a decision to review.
const PUBLIC: &[&str] = &[
    "GET /login",
    "POST /login",
    "POST /gateway/enrol",
    "POST /gateway/rotate",
    "POST /gateway/rotate/challenge",
    // Clocks: by their number, and by a key where one is agreed.
    "GET /iclock/{*rest}",
    "POST /iclock/{*rest}",
];
/// Of them, what machines call: no form, so no token.
const MACHINES: &[&str] = &[
    "POST /gateway/enrol",
    "POST /gateway/rotate",
    "POST /gateway/rotate/challenge",
    "POST /iclock/{*rest}",
];

/// The path with an id that exists nowhere in place of each parameter.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for part in path.split('/').skip(1) {
        filled.push('/');
        let is_parameter = part.starts_with('{');
        let id = Uuid::now_v7().to_string();
        filled.push_str(if is_parameter { &id } else { part });
    }
    filled
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method.as_str(), route.path)
}

async fn called(world: &World, route: &Route, cookie: &str, token: &str) -> (u16, String) {
    let form = format!("csrf_token={token}&idempotency_key={}", Uuid::now_v7());
    let form = if route.method == Method::Get { String::new() } else { form };
    let path = filled(route.path);
    let answer = world.send(request(route.method.as_str(), &path, cookie, &form)).await;
    (answer.status, answer.header("location").to_owned())
}

#[test]
fn the_public_routes_are_those_named_here() {
    let routes = crate::routes::routes();
    let public: BTreeSet<String> =
        routes.iter().filter(|route| route.access == Access::Public).map(name).collect();
    let unnamed: Vec<_> = public.iter().filter(|name| !PUBLIC.contains(&name.as_str())).collect();
    assert!(unnamed.is_empty(), "public without being named: {unnamed:?}");
}

#[test]
fn every_permission_a_route_needs_is_declared_and_no_menu_leads_nowhere() {
    let routes = crate::routes::routes();
    for route in &routes {
        if let Access::Needs(permission) = route.access {
            assert!(ALL.contains(&permission), "{route:?}");
        }
    }
    for item in crate::routes::nav() {
        let page = routes.iter().find(|r| r.path == item.href && r.method == Method::Get);
        let page = page.unwrap_or_else(|| panic!("the menu leads to {}", item.href));
        assert_eq!(page.access, Access::Needs(item.permission), "{}", item.href);
    }
}

#[tokio::test]
async fn without_a_session_every_route_but_the_public_ones_refuses() {
    let test = TestDb::new().await;
    let (routes, sessions) = (crate::routes::routes(), Arc::new(KnownSessions::default()));
    let world = World::new(test.db.clone(), crate::routes::routes(), sessions);
    for route in routes.iter().filter(|route| route.access != Access::Public) {
        let (status, location) = called(&world, route, "", CSRF).await;
        let is_refused = status == 401 || (status == 303 && location.starts_with("/login"));
        assert!(is_refused, "{route:?} answered {status} {location}");
    }
}

#[tokio::test]
async fn every_role_opens_exactly_what_the_table_of_roles_says() {
    let test = TestDb::new().await;
    let mut sessions = KnownSessions::default();
    let mut readers: Vec<_> = BUILT_IN_ROLES
        .iter()
        .map(|role| {
            let cookie = sessions.with(test.company, role.key, role.permissions);
            (role.key, role.permissions.to_vec(), cookie)
        })
        .collect();
    readers.push(("nobody", Vec::new(), sessions.with(test.company, "nobody", &[])));
    let routes = crate::routes::routes();
    let world = World::new(test.db.clone(), crate::routes::routes(), Arc::new(sessions));
    for (role, held, cookie) in &readers {
        for route in &routes {
            let may = match route.access {
                Access::Public | Access::SignedIn => true,
                Access::Needs(permission) => held.contains(&permission),
            };
            let (status, _) = called(&world, route, cookie, CSRF).await;
            assert_eq!(status != 403, may, "{role}: {route:?} answered {status}");
            assert!(status != 401 && status < 500, "{role}: {route:?} answered {status}");
        }
    }
}

#[tokio::test]
async fn every_form_without_its_token_is_refused() {
    let test = TestDb::new().await;
    let mut sessions = KnownSessions::default();
    let owner = sessions.with(test.company, "owner", ALL);
    let routes = crate::routes::routes();
    let world = World::new(test.db.clone(), crate::routes::routes(), Arc::new(sessions));
    for route in routes.iter().filter(|route| route.method != Method::Get) {
        let signed_in = called(&world, route, &owner, "wrong").await;
        assert_eq!(signed_in.0, 403, "{route:?} with a session");
        if route.access == Access::Public && !MACHINES.contains(&name(route).as_str()) {
            assert_eq!(called(&world, route, "", "").await.0, 403, "{route:?} without a session");
        }
    }
}

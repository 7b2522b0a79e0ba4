//! What clocks that call by themselves say of themselves and of their users.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::UserColumns;
use crate::db::{CompanyId, DbError};
use crate::people::clocks::model::DeviceUser;
use crate::people::clocks::service::Contact;

/// A clock that called by itself; what a gateway says of it stays.
pub(in crate::people::clocks) async fn put_contact(
    connection: &mut PgConnection,
    company: CompanyId,
    contact: Contact<'_>,
    heard_at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into clocks
             (company_id, clock_serial, link, layout, zone, address, firmware, heard_at)
         values ($1, $2, 'push', 'push', $3, $4, $5, $6)
         on conflict (company_id, clock_serial) do update
         set zone = excluded.zone, address = excluded.address, heard_at = excluded.heard_at,
             firmware = coalesce(nullif(excluded.firmware, ''), clocks.firmware)
         where clocks.gateway_id is null",
        company.0,
        contact.clock_serial,
        contact.zone,
        contact.address,
        contact.firmware,
        heard_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Users told one by one: each takes the slot its number has, or one past all that a clock
/// can number by itself.
pub(in crate::people::clocks) async fn put_told_users(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    read_at: DateTime<Utc>,
    users: &[DeviceUser],
) -> Result<(), DbError> {
    let columns = UserColumns::of(users);
    sqlx::query!(
        "insert into clock_device_users
             (company_id, clock_serial, slot, user_id, name, privilege, card, is_name_garbled,
              read_at)
         select $1::uuid, $2::text,
                coalesce(k.slot, t.top + row_number() over (order by g.place)),
                g.user_id, g.name, g.privilege, g.card, g.garbled, $3::timestamptz
         from (select distinct on (u.user_id) u.*
               from unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bool[])
                    with ordinality as u (user_id, name, privilege, card, garbled, place)
               order by u.user_id, u.place desc) g
         cross join (select greatest(65535, max(d.slot)) as top
                     from clock_device_users d
                     where d.company_id = $1 and d.clock_serial = $2) t
         left join lateral (select min(d.slot) as slot
                            from clock_device_users d
                            where d.company_id = $1 and d.clock_serial = $2
                              and d.user_id = g.user_id) k on true
         on conflict (company_id, clock_serial, slot) do update
         set name = excluded.name, privilege = excluded.privilege, card = excluded.card,
             is_name_garbled = excluded.is_name_garbled, read_at = excluded.read_at",
        company.0,
        serial,
        read_at,
        &columns.ids,
        &columns.names,
        &columns.privileges,
        &columns.cards,
        &columns.garbled
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update clocks set users_read_at = $3,
             users = (select count(*) from clock_device_users d
                      where d.company_id = $1 and d.clock_serial = $2)
         where company_id = $1 and clock_serial = $2 and gateway_id is null",
        company.0,
        serial,
        read_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

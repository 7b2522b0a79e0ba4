//! Tickets and their paper.

use super::*;
use crate::gateways::enrol;
use crate::till::{paper, sql};

impl Shop {
    /// A gateway in service at the shop.
    async fn gateway(&self) {
        let mut act = self.act().await;
        enrol::create_gateway(&mut act, self.pantry.test.store, "Comptoir").await.expect("made");
        sqlx::query!("update gateways set state = 'active', enrolled_at = now()")
            .execute(act.connection())
            .await
            .expect("active");
        act.commit().await.expect("commit");
    }

    async fn paper(&self, ticket_id: Uuid) -> paper::Paper {
        let company = self.pantry.test.company;
        let mut scope = self.pantry.test.db.read(company).await.expect("read");
        paper::of_ticket(&mut scope, company, &self.texts, ticket_id).await.expect("paper")
    }

    async fn unprinted(&self, session_id: Uuid) -> Option<String> {
        let company = self.pantry.test.company;
        let mut scope = self.pantry.test.db.read(company).await.expect("read");
        let missing = paper::unprinted(&mut scope, company, session_id).await.expect("count");
        missing.map(|message| self.texts.say(&message))
    }

    async fn try_reprint(&self, ticket_id: Uuid) -> Result<(), TillError> {
        let known = self.paper(ticket_id).await.command_id;
        let mut act = self.act().await;
        reprint(&mut act, &self.texts, ticket_id, known).await?;
        act.commit().await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_copy_nobody_would_print_is_refused_in_words() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sold = shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
    let refused = shop.try_reprint(sold.ticket_id).await;
    assert!(matches!(refused, Err(TillError::NoGateway)), "{refused:?}");
    assert_eq!(shop.unprinted(session).await, None, "nothing was asked for");
    // Once there is one, the ticket gets the page it never had.
    shop.gateway().await;
    shop.try_reprint(sold.ticket_id).await.expect("asked");
    let paper = shop.paper(sold.ticket_id).await;
    assert_eq!((paper.word, paper.copies, paper.copy), ("waiting", 0, None));
}

#[tokio::test]
async fn the_paper_of_a_ticket_moves_while_its_copy_does() {
    let shop = Shop::new().await;
    shop.gateway().await;
    let session = shop.open().await;
    let sold = shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
    assert_eq!(shop.unprinted(session).await.as_deref(), Some("1 reçu pas encore imprimé"));
    let mut act = shop.act().await;
    sqlx::query!(
        "update commands
         set state = 'leased', down_epoch = 1, down_seq = queue_no, lease_generation = 1
         where kind = 'print'"
    )
    .execute(act.connection())
    .await
    .expect("leased");
    sqlx::query!("update commands set state = 'done', evidence = 4 where kind = 'print'")
        .execute(act.connection())
        .await
        .expect("done");
    act.commit().await.expect("commit");
    let printed = shop.paper(sold.ticket_id).await;
    assert_eq!((printed.word, printed.is_moving), ("printed", false));
    assert_eq!(shop.unprinted(session).await, None);
    shop.try_reprint(sold.ticket_id).await.expect("asked");
    let paper = shop.paper(sold.ticket_id).await;
    assert_eq!((paper.word, paper.copies, paper.is_moving), ("printed", 1, true));
    assert_eq!(paper.copy.as_ref().map(|copy| copy.word), Some("waiting"));
    assert_ne!(paper.stamp(), printed.stamp());
    assert_eq!(paper.stamp(), shop.paper(sold.ticket_id).await.stamp());
}

#[tokio::test]
async fn a_day_of_tickets_is_read_page_by_page() {
    let mut shop = Shop::new().await;
    let session = shop.open().await;
    for _ in 0..3 {
        shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
        shop.now += TimeDelta::minutes(1);
    }
    shop.now += TimeDelta::days(1);
    shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
    let company = shop.pantry.test.company;
    let mut scope = shop.pantry.test.db.read(company).await.expect("read");
    let all = sql::list_tickets(scope.connection(), company, None, "", None).await.expect("list");
    let codes: Vec<&str> = all.iter().map(|ticket| ticket.code.as_str()).collect();
    assert_eq!(codes, ["T-2026-000004", "T-2026-000003", "T-2026-000002", "T-2026-000001"]);
    let day = time::business_date(time::instant(MORNING_MS), time::DEFAULT_ZONE);
    let after = Some((all[1].sold_at, all[1].ticket_id));
    let rest = sql::list_tickets(scope.connection(), company, Some(day), "", after).await;
    let rest: Vec<String> = rest.expect("list").into_iter().map(|ticket| ticket.code).collect();
    assert_eq!(rest, ["T-2026-000002", "T-2026-000001"]);
    let one = sql::list_tickets(scope.connection(), company, Some(day), "0003", None).await;
    assert_eq!(one.expect("list").len(), 1);
}

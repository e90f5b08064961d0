//! What was noted of a transaction goes to management without an allocation, whether there is room for it or not.

use super::allocations;
use weir::base::event::record::{Entry, RecordBuffer};
use weir::base::event::{AppEvent, AppKind, Event, EventBody, Origin, event_ring_with_records};

#[test]
fn a_record_on_its_way_costs_no_allocation() {
    let (mut sender, mut feed) = event_ring_with_records(64, false);
    let mut buffer = RecordBuffer::new(true);
    let body = AppEvent { kind: AppKind::Transaction, proto: "http1", tx: Some(0), record: 0 };
    let event = Event { origin: Origin::default(), body: EventBody::App(body) };
    let made = allocations(|| {
        for number in 0..100 {
            buffer.clear();
            buffer.add("status", Entry::Number(number));
            buffer.add("url", Entry::Text(&[b'x'; 3000]));
            sender.send_with(event, buffer.bytes());
        }
    });
    assert_eq!(made, 0);
    let (sent, lost) = (feed.counts.sent.get(), feed.counts.lost.get());
    assert!(sent > 10 && lost > 10 && sent + lost == 100, "{sent} sent, {lost} lost");
    let mut record = Vec::new();
    assert_eq!(std::iter::from_fn(|| feed.take(&mut record)).count() as u64, sent);
}

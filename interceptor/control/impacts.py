"""What the runtime found of lists, policies and calls, as the contract's messages."""

from collections.abc import Iterable

from interceptor.pb.v1 import lists_pb2
from interceptor.runtime.guard import Flip, Impact
from interceptor.runtime.live import Changed, Preview
from interceptor.store.words import Held


def impact_of(impact: Impact) -> lists_pb2.Impact:
    return lists_pb2.Impact(
        calls=impact.calls,
        flipped=impact.flipped,
        first=[flipped(each) for each in impact.first],
        protected_numbers=impact.protected,
        unknown_counters=impact.unknown_counters,
        allowed_share=impact.allowed_share,
        refused=impact.refused,
        revision=impact.revision,
    )


def flipped(flip: Flip) -> lists_pb2.FlippedCall:
    return lists_pb2.FlippedCall(
        decision_id=flip.decision_id,
        caller=flip.caller,
        callee=flip.callee,
        was=flip.was,
        would_be=flip.would_be,
    )


def change_of(changed: Changed) -> lists_pb2.ListChange:
    return lists_pb2.ListChange(
        revision=changed.revision,
        added=changed.added,
        removed=changed.removed,
        unchanged=changed.unchanged,
        conflicts=changed.conflicts,
        bad_rows=changed.bad_rows,
        impact=None if changed.impact is None else impact_of(changed.impact),
    )


def preview_of(preview: Preview) -> lists_pb2.ImportPreview:
    return lists_pb2.ImportPreview(
        added=preview.added,
        removed=preview.removed,
        changed=preview.changed,
        unchanged=preview.unchanged,
        bad_rows=preview.bad_rows,
        first_bad=preview.first_bad,
        first_added=preview.first_added,
        first_removed=preview.first_removed,
        impact=impact_of(preview.impact),
    )


def held_entries(entries: Iterable[Held]) -> list[lists_pb2.HeldEntry]:
    return [
        lists_pb2.HeldEntry(
            list=each.list_name,
            text=each.text,
            source=each.source,
            reason=each.reason,
            note=each.note,
            valid_from_ms=each.valid_from_ms,
            valid_until_ms=each.valid_until_ms,
            added_by=each.added_by,
            added_ms=each.added_ms,
            revision=each.revision,
            live=each.live,
            gone_revision=each.gone_revision,
            gone_by=each.gone_by,
            gone_ms=each.gone_ms,
        )
        for each in entries
    ]

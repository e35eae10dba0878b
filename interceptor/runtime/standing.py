"""Prometheus metrics of what is kept: the store, its lists and their feeds, the guard, demoted rules, the trial."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from interceptor.runtime import outlets
from interceptor.runtime.demotion import demotable
from interceptor.runtime.families import counter, gauge, total
from interceptor.runtime.service import Service
from interceptor.store.feedback import Count


class StandingCollector(Collector):
    """Reads what the service has noted last: a scrape never waits for the database. No label carries a number."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Called once a scrape."""
        if self._service.loader.current is not None:
            yield from self._of_the_store()
            yield from self._of_state()
            yield from self._of_changes()
            yield from self._of_rules()
            yield from self._of_feedback()
            if self._service.publishing is not None:
                yield from outlets.families(self._service.publishing.outlets)
                yield from self._of_persons()

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is shows when it is collected."""
        return iter(())

    def _of_persons(self) -> Iterator[Metric]:
        reminders, warnings = self._service.reminders, self._service.early_warnings
        if reminders is not None:
            text = "Warned calls whose party at risk was told of it: made, repeated that day, no_template, unreachable."
            yield outlets.made("interceptor_reminders", text, "category", reminders.told)
        if warnings is not None:
            text = (
                "Calls of numbers that are highly suspected: made, an event was made of the first; repeated."
            )
            yield outlets.made("interceptor_early_warnings", text, "reason", warnings.counts)

    def _of_the_store(self) -> Iterator[Metric]:
        upkeep, image = self._service.upkeep, self._service.store.images.made
        known = upkeep.known
        yield gauge(
            "interceptor_store_up",
            "1 while the store can be read and written; 0: nothing can be changed.",
            float(upkeep.up),
        )
        yield gauge("interceptor_store_revision", "The last live revision.", known.revision)
        yield gauge(
            "interceptor_list_image_timestamp_seconds",
            "When the image of the lists was made that makes a start fast; 0: there is none.",
            0.0 if image is None else image.at_ms / 1000,
        )
        changed = GaugeMetricFamily(
            "interceptor_list_last_change_timestamp_seconds",
            "When a source last changed something on a list: the age of a feed.",
            labels=["list", "source"],
        )
        for (name, source), at_ms in sorted(known.last_changes.items()):
            changed.add_metric([name, source], at_ms / 1000)
        yield changed

    def _of_state(self) -> Iterator[Metric]:
        state, copying = self._service.state, self._service.copying
        if state is None:
            return
        counts = state.counts
        yield gauge("interceptor_state_bytes", "Memory of counters that outlive the process.", state.nbytes)
        yield total(
            "interceptor_state_attached",
            "Tables taken up from an earlier process, or its copy.",
            counts.attached,
        )
        yield total("interceptor_state_restored", "Of these, the ones of a copy on disk.", counts.restored)
        yield total(
            "interceptor_state_torn",
            "Entries dropped, for an earlier process had died while it changed them.",
            counts.torn,
        )
        yield total(
            "interceptor_state_left_out",
            "Tables of an earlier process that did not fit and were begun anew.",
            len(counts.left_out),
        )
        yield gauge(
            "interceptor_state_copy_timestamp_seconds",
            "When counters were last copied to disk; 0: not yet.",
            copying.made_ms / 1000,
        )
        yield gauge("interceptor_state_copy_seconds", "How long that took.", copying.seconds)

    def _of_changes(self) -> Iterator[Metric]:
        service = self._service
        yield total(
            "interceptor_guard_refusals",
            "Changes that were refused until somebody confirms them.",
            service.tally.changes_refused,
        )
        yield gauge(
            "interceptor_recent_calls",
            "Calls of the last hour that changes are tried on.",
            len(service.recent),
        )
        additions = service.additions
        kept = counter("interceptor_rule_entries", "Entries of rules for the store.", "result")
        kept.add_metric(["kept"], additions.kept)
        kept.add_metric(["lost"], additions.lost)
        yield kept
        yield gauge(
            "interceptor_rule_entries_waiting",
            "Entries of rules that are in force and not in the store yet.",
            additions.waiting,
        )
        decisions = counter(
            "interceptor_decisions_remembered", "Warned and blocked decisions to be remembered.", "result"
        )
        decisions.add_metric(["kept"], service.remembering.kept)
        decisions.add_metric(["lost"], service.remembering.lost)
        yield decisions

    def _of_rules(self) -> Iterator[Metric]:
        demoted = GaugeMetricFamily(
            "interceptor_rule_demoted",
            "1 for a rule that warns in place of blocking, until somebody promotes it; 0 for one that may come to it.",
            labels=["rule"],
        )
        engine = self._service.engine
        now = engine.demoted
        for each in engine.spec.rules:
            if demotable(each):
                demoted.add_metric([each.id], each.id in now)
        yield demoted
        yield total(
            "interceptor_rule_demotions",
            "Rules that began to block far more than usual and demoted themselves.",
            self._service.demotions.total,
        )
        usual = GaugeMetricFamily(
            "interceptor_rule_usual_block_share",
            "Share of calls that a rule of class analytics usually blocks, once it is known.",
            labels=["rule"],
        )
        for rule, share in sorted(self._service.demotions.rates.usual.items()):
            usual.add_metric([rule], share)
        yield usual
        trial = self._service.trials.state()
        yield gauge(
            "interceptor_trial_running",
            "1 while a policy is on trial.",
            float(trial is not None and trial.running),
        )
        yield gauge(
            "interceptor_trial_calls", "Calls the trial has decided.", trial.calls if trial is not None else 0
        )
        yield gauge(
            "interceptor_trial_differing_calls",
            "Of these, the ones it decides otherwise.",
            trial.differing if trial is not None else 0,
        )

    def _of_feedback(self) -> Iterator[Metric]:
        precision = self._service.upkeep.known.precision
        for what, counts in (("rule", precision.by_rule), ("source", precision.by_source)):
            said = GaugeMetricFamily(
                f"interceptor_{what}_feedback",
                f"Decisions of a {what} that people called right or wrong.",
                labels=[what, "feedback"],
            )
            share = GaugeMetricFamily(
                f"interceptor_{what}_precision",
                f"Share of the decisions of a {what} that people called right, of those they spoke of.",
                labels=[what],
            )
            for name, count in sorted(counts.items()):
                said.add_metric([name, "confirmed"], count.confirmed)
                said.add_metric([name, "wrong"], count.wrong)
                share.add_metric([name], right(count))
            yield from (said, share)


def right(count: Count) -> float:
    """The share that was right."""
    return count.confirmed / max(count.confirmed + count.wrong, 1)

"""A scorer in one file: how much of what a customer buys is bought in the evening, and who is an evening guest."""

from hub.hookspecs import hookimpl
from hub.scorer import Scorer, ScorerConfig, Trait, TraitType
from hub.segments import Segment
from hub.titles import Title


class EveningConfig(ScorerConfig):
    from_hour: int = 18


class Evening(Scorer):
    name, Config = "evening", EveningConfig
    traits = (
        Trait(
            "evening_share", TraitType.NUMBER, Title("晚间消费占比", "Share of evening orders"), "1", "", "never bought"
        ),
    )

    def score(self, inputs):
        return f"""
            SELECT customer_id, avg((hour(timezone('{inputs.zone}', ordered_at)) >= {inputs.config.from_hour})::INTEGER) AS evening_share
            FROM orders WHERE kind <> 'refund' GROUP BY customer_id"""

    def per_customer(self, config):  # noqa: ARG002
        return True


@hookimpl
def register_scorers():
    return [Evening]


@hookimpl
def register_segments():
    return [Segment("evening_guests", Title("晚间客", "Evening guests"), "evening_share >= 0.5")]

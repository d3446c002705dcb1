"""Learning rules: one rule, one small module.

To add one, write its file and name it in ``RULES``.
"""

from alignlib.errors import choose
from alignlib.rules.backprop import Backprop
from alignlib.rules.base import BackwardWalk, Rule
from alignlib.rules.direct import DirectFeedbackAlignment
from alignlib.rules.direct_kolen_pollack import DirectKolenPollack
from alignlib.rules.error_sign import ErrorSignDirectFeedbackAlignment
from alignlib.rules.feedback_alignment import FeedbackAlignment
from alignlib.rules.indirect import IndirectFeedbackAlignment
from alignlib.rules.input_modulation import ErrorDrivenInputModulation
from alignlib.rules.kolen_pollack import KolenPollack
from alignlib.rules.shallow import Shallow
from alignlib.rules.sign_batchwise import BatchwiseSignSymmetry
from alignlib.rules.sign_symmetry import FixedSignSymmetry
from alignlib.rules.sign_uniform import UniformSignSymmetry
from alignlib.rules.target_projection import DirectRandomTargetProjection
from alignlib.rules.weight_mirror import WeightMirror

#: Every rule by its short name, in the order in which the book tells of them.
RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        Backprop,
        FeedbackAlignment,
        DirectFeedbackAlignment,
        IndirectFeedbackAlignment,
        Shallow,
        UniformSignSymmetry,
        BatchwiseSignSymmetry,
        FixedSignSymmetry,
        KolenPollack,
        WeightMirror,
        DirectKolenPollack,
        ErrorSignDirectFeedbackAlignment,
        DirectRandomTargetProjection,
        ErrorDrivenInputModulation,
    )
}


def rule(name: str) -> type[Rule]:
    """Return the rule called ``name``; InvalidValue lists the accepted names."""
    return RULES[choose("rule", name, RULES)]


__all__ = [
    "RULES",
    "Backprop",
    "BackwardWalk",
    "BatchwiseSignSymmetry",
    "DirectFeedbackAlignment",
    "DirectKolenPollack",
    "DirectRandomTargetProjection",
    "ErrorDrivenInputModulation",
    "ErrorSignDirectFeedbackAlignment",
    "FeedbackAlignment",
    "FixedSignSymmetry",
    "IndirectFeedbackAlignment",
    "KolenPollack",
    "Rule",
    "Shallow",
    "UniformSignSymmetry",
    "WeightMirror",
    "rule",
]

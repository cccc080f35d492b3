"""The evidence of a likely pair in words, field by field: what speaks for one person, what against, what it adds up to."""

from __future__ import annotations

import json

__all__ = ["waterfall"]

_FIELDS = {
    "name": "姓名", "sound": "姓名读音", "given_name": "名", "surname": "姓", "birthday": "生日", "birth_day": "生日",
    "city": "城市", "district": "区县", "address": "地址", "gender": "性别", "mask": "脱敏手机号", "tail": "手机尾号",
}  # fmt: skip
_ENGLISH = {"mask": "visible phone digits", "tail": "last digits of the phone", "sound": "sound of the name"}
_STRENGTHS = {
    "zh": ((6, "强烈支持"), (2, "支持"), (0, "略微支持"), (-2, "略微反对"), (-6, "反对"), (float("-inf"), "强烈反对")),
    "en": (
        (6, "speaks strongly for one person"), (2, "speaks for one person"), (0, "speaks slightly for one person"),
        (-2, "speaks slightly against"), (-6, "speaks against"), (float("-inf"), "speaks strongly against"),
    ),
}  # fmt: skip
_HEAD = {
    "zh": "未比较前，任意两份档案：{bits:+.1f} 比特（每 1 比特使可能性翻一倍）",
    "en": "before looking, any two profiles: {bits:+.1f} bits (each bit doubles the odds)",
}
_LINE = {"zh": "{field}：{strength}（{bits:+.1f} 比特）", "en": "{field} {strength} ({bits:+.1f} bits)"}
_TOTAL = {
    "zh": "合计 {bits:+.1f} 比特：约 {chance} 的可能是同一人",
    "en": "together {bits:+.1f} bits: one person with a chance of about {chance}",
}


def waterfall(why: str, language: str = "en") -> list[str]:
    """Tell a pair's weight in words, the strongest field first.

    Args:
        why: the pair's ``why`` (:data:`identity.PAIRS`).
        language: "zh" or "en".
    """
    parts = json.loads(why)
    prior = parts.pop("prior")
    lines = [_HEAD[language].format(bits=prior)]
    told = sorted(((name, bits) for name, bits in parts.items() if bits), key=lambda one: -abs(one[1]))
    for name, bits in told:
        strength = next(words for least, words in _STRENGTHS[language] if bits >= least)
        shown = _FIELDS.get(name, name) if language == "zh" else _ENGLISH.get(name, name.replace("_", " "))
        lines.append(_LINE[language].format(field=shown, strength=strength, bits=bits))
    total = prior + sum(bits for _, bits in told)
    lines.append(_TOTAL[language].format(bits=total, chance=_chance(total)))
    return lines


def _chance(bits: float) -> str:
    odds = 2.0 ** max(-60.0, min(60.0, bits))
    return f"{min(odds / (1 + odds), 0.9999):.2%}"

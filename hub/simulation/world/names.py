"""Names: drawn from common surnames and given-name characters, and written as clean or as badly as stores do.

All names are combinations of the characters below, so that any likeness to a living person is an accident. A name is
three numbers (surname, first and second given character); text is made for whole columns at the end.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.world.arrays import NOBODY, Bools, Ints
from hub.simulation.world.text import join, label

__all__ = ["draw_names", "draw_nicknames", "full_names", "homophone", "honorifics", "nicknames", "surnames", "titled"]

SURNAMES: Final = (
    *"王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜",
    *"范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚",
    *"汤单",
    "欧阳",
    "司马",
    "上官",
    "诸葛",
)
#: Given-name characters by sound: the characters of one group sound alike (tones aside).
_SOUNDS: Final = re.findall(
    r"\S+",
    """
伟玮炜 涵晗含 婷廷庭 浩昊皓 宇雨羽 佳嘉家 静婧靖 丽莉利 敏民旻 强蔷 磊蕾 洋阳扬 杰洁捷 艳燕彦 勇咏永 军君均 娟涓 涛滔韬
超朝 明鸣铭 霞侠 平萍 刚钢 辉晖慧 文雯纹 芳方 玲灵凌 玉钰煜 红宏泓 建健剑 华桦骅 志智致 峰锋枫 梅眉 兰岚澜 英瑛莹
欣昕心 梓紫子 轩萱宣 怡仪宜 思斯丝 雪 彤桐童 诗施 晨辰宸 悦月越 琪奇淇 博 瑞睿锐 豪毫 鑫新馨 凯恺 旭绪 俊峻竣 龙隆
飞菲霏 瑶遥 颖影 倩茜 丹 薇微 蓉容榕 琳林霖 茹如 珊姗 妍研 泽择 然冉 一依伊 诺 可 远媛 航杭 逸亦奕 翔祥 毅义 成诚程
东冬 海 波 亮 鹏朋 斌彬 安 康 宁凝 春 秋 冰 清青卿 美 凤 桂 秀 珍真 淑 云芸 梦 柔 甜
""",
)
GIVEN: Final = tuple(character for sound in _SOUNDS for character in sound)
_MALE: Final = "伟浩宇强磊洋杰勇军涛超明平刚辉文建华志峰子轩博瑞豪鑫凯旭俊龙飞泽然一航逸翔毅成东海波亮鹏斌安康宁林晨家永健新宏健铭智远清云"
_FEMALE: Final = "涵婷雨佳静丽敏蕾阳洁艳娟霞萍慧雯芳玲玉红梅兰英欣梓萱怡思雪彤诗悦琪馨菲瑶颖倩丹薇蓉琳茹珊妍冉依诺可媛燕莉宁春秋冰清美凤桂秀珍淑云梦柔甜月子心宸"
_TRADITIONAL: Final = dict(
    re.findall(
        r"(\S)(\S)",
        """
    张張 刘劉 陈陳 杨楊 黄黃 赵趙 吴吳 孙孫 马馬 郑鄭 罗羅 谢謝 韩韓 许許 邓鄧 萧蕭 冯馮 苏蘇 叶葉 吕呂 蒋蔣 钟鍾 卢盧 陆陸
    谭譚 韦韋 贾賈 邹鄒 阎閻 龙龍 万萬 顾顧 赖賴 贺賀 严嚴 钱錢 龚龔 汤湯 单單 伟偉 玮瑋 炜煒 静靜 丽麗 强強 蔷薔 扬揚 杰傑
    洁潔 艳豔 咏詠 军軍 涛濤 韬韜 鸣鳴 铭銘 侠俠 刚剛 钢鋼 辉輝 晖暉 纹紋 灵靈 钰鈺 红紅 剑劍 华華 桦樺 骅驊 锋鋒 枫楓 兰蘭
    岚嵐 澜瀾 莹瑩 轩軒 仪儀 丝絲 诗詩 锐銳 凯凱 恺愷 绪緒 飞飛 遥遙 颖穎 姗姍 泽澤 择擇 诺諾 远遠 义義 诚誠 东東 鹏鵬 宁寧
    凤鳳 云雲 梦夢
    """,
    )
) | {"欧阳": "歐陽", "诸葛": "諸葛", "司马": "司馬", "阳": "陽"}
_TITLES_MALE: Final = ("先生", "先生", "哥", "总", "老师")
_TITLES_FEMALE: Final = ("女士", "小姐", "姐", "女士", "老师")
_MOODS: Final = (
    *(
        "小",
        "大",
        "阿",
        "爱吃的",
        "早睡的",
        "不加糖的",
        "追风",
        "慢半拍",
        "奔跑的",
        "快乐",
        "一颗",
        "今天也是",
        "A",
        "喝奶茶的",
        "来杯",
    ),
    *("下雨天的", "北方的", "森林里的", "路过的", "熬夜的"),
)
_THINGS: Final = (
    *(
        "橙子",
        "柚子",
        "西瓜",
        "月亮",
        "星星",
        "海豚",
        "猫咪",
        "小熊",
        "兔子",
        "云朵",
        "向日葵",
        "可乐",
        "布丁",
        "番茄",
        "土豆",
    ),
    *("柠檬", "晴天", "夏天", "少年", "鲸鱼", "松鼠", "麻薯", "豆包", "芝麻", "糯米"),
)
_TAILS: Final = ("", "", "", "", "🍊", "🌙", "～", "☀️", "_77", "520", "🍵", "呀", "酱", "同学", "2号")
_SECOND_GIVEN: Final = 0.78


def _weights(rows: int) -> npt.NDArray[np.float64]:
    """Falling weights: the first few surnames and characters are by far the most common."""
    weight = 1.0 / (np.arange(rows) + 4.0)
    return np.asarray(weight / weight.sum())


def _homophones() -> Ints:
    """For each given-name character another one of the same sound; itself where there is none."""
    numbers: list[int] = []
    for sound in _SOUNDS:
        first = len(numbers)
        numbers.extend(first + (place + 1) % len(sound) for place in range(len(sound)))
    return np.array(numbers, np.int64)


_HOMOPHONE: Final = _homophones()


def draw_names(random: np.random.Generator, gender: Ints) -> tuple[Ints, Ints, Ints]:
    """Draw surname, first and second given character (``NOBODY`` = none) for people of gender 1 (male) or 2."""
    rows = len(gender)
    surname = random.choice(len(SURNAMES), rows, p=_weights(len(SURNAMES)))
    picks = []
    for characters in (_MALE, _FEMALE):
        known = np.array([GIVEN.index(character) for character in dict.fromkeys(characters)])
        picks.append(known[random.choice(len(known), (2, rows), p=_weights(len(known)))])
    first, second = np.where(gender == 1, picks[0], picks[1])
    second = np.where(random.random(rows) < _SECOND_GIVEN, second, NOBODY)
    return surname, first, second


def draw_nicknames(random: np.random.Generator, rows: int) -> Ints:
    """Draw WeChat nicknames as single numbers; see :func:`nicknames`."""
    return random.integers(0, len(_MOODS) * len(_THINGS) * len(_TAILS), rows)


def homophone(given: Ints) -> Ints:
    """Another character that sounds the same, where there is one; a missing character stays missing."""
    return np.where(given < 0, given, _HOMOPHONE[given])


def has_homophone(given: Ints) -> Bools:
    """Whether :func:`homophone` changes the character."""
    return np.asarray(homophone(given) != given)


def _text(words: tuple[str, ...], *, traditional: bool) -> pa.Array:
    return pa.array([_TRADITIONAL.get(word, word) for word in words] if traditional else words)


def surnames(surname: Ints) -> pa.StringArray:
    """Surnames as text."""
    return _text(SURNAMES, traditional=False).take(pa.array(surname))


def full_names(surname: Ints, given: Ints, second: Ints, *, traditional: bool = False) -> pa.StringArray:
    """Surname and given name as text, in simplified or traditional characters."""
    characters = _text(GIVEN, traditional=traditional)
    tail = label(characters, second).cast(pa.string()).fill_null("")
    return join(
        _text(SURNAMES, traditional=traditional).take(pa.array(surname)), characters.take(pa.array(given)), tail
    )


def titled(surname: Ints, gender: Ints, draw: Ints) -> pa.StringArray:
    """Surname and title (王女士, 李哥); ``draw`` picks the title."""
    titles = pa.array(_TITLES_MALE + _TITLES_FEMALE)
    place = draw % len(_TITLES_MALE) + np.where(gender == 1, 0, len(_TITLES_MALE))
    return join(surnames(surname), titles.take(pa.array(place)))


def honorifics(surname: Ints, gender: Ints, draw: Ints) -> pa.StringArray:
    """How staff write somebody they half know: 王女士, 李先生, 小陈."""
    return pc.if_else(pa.array(draw % 7 == 0), join("小", surnames(surname)), titled(surname, gender, draw // 7))


def nicknames(numbers: Ints) -> pa.StringArray:
    """WeChat nicknames as text, some with emoji of four bytes."""
    tail, rest = numbers % len(_TAILS), numbers // len(_TAILS)
    thing, mood = rest % len(_THINGS), rest // len(_THINGS)
    parts = [
        pa.array(words).take(pa.array(codes)) for words, codes in ((_MOODS, mood), (_THINGS, thing), (_TAILS, tail))
    ]
    return join(*parts)

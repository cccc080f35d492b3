"""Surnames in use in mainland China, simplified, and those read differently as surnames.

The single-character list holds the surnames of the Song dynasty primer 百家姓 that are still in use, and the frequent
modern ones the Ministry of Public Security's yearly name reports (全国姓名报告) add.
"""

from __future__ import annotations

__all__ = ["COMPOUND_SURNAMES", "SURNAMES", "SURNAME_SOUNDS"]

SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆"
    "范汪廖石金韦贾夏付方白邹孟熊秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文樊兰施殷颜庄章鲁"
    "倪邢翟毕葛聂齐焦耿俞祝蓝左申柏骆包阮纪柯梅费童欧涂单盛屈卓车凌路裴霍辛管安喻祁柳饶成卜项游翁詹关温季华牛符尤时宁甘"
    "舒娄解简苗褚尚应穆冉鲍臧窦岳仇米苑卫蔺桂褚晏鄢席瞿闵傅宫滕谷练巩边应靳阎巫冷佟艾池牟乐邬商狄强房苟刁麦古景卞农井岑"
    "蒲隋党揭宗连楚幸巴缪占芦师明占边封鹿桑荆伍杭敖栾丛厉戚封郎但胥伏仲奚帅查占全甄束宣燕晋贝车郁荣荀羊甄曲家芮羿储汲邴"
    "糜松隗山弓牧蓬班仰秋伊暴钭戎祖刘詹束蔚越夔隆巢蒯相荆红游竺权逯盖益桓公万晁勾敖融訾阚那饶空曾毋沙乜养鞠须丰巢关蒯后"
    "朴区仝冼谌湛邝麻原木展竹战庞占淦屠苍双闻莘翦谯尧昌印宿怀蒿邰从鄂索咸籍赖卓蔺蒙池阴胥能苍双闻党翟劳逄姬冉宰郦雍却璩濮"
    "寿通扈郏浦尚温别庄晏柴瞿阎充慕茹习宦艾鱼容古慎廖庾终暨居衡步都满弘匡国寇广禄阙东利蔚师巩厍晁冷辛阚简计康伏成戴谈宋茅"
    "庞纪舒屈项董梁杜阮蓝闽席季麻强贾娄危江童颜郭梅盛林刁锺徐邱骆夏蔡田樊凌霍虞支柯昝管卢莫房裘干解应丁宣贲邓包诸左石吉钮"
    "幸司韶郜薄宓乌焦车侯全班仲宫宁仇栾甘厉祖符叶黎白鄂蔺屠乔牛尉滑"
)

COMPOUND_SURNAMES = frozenset(
    [
        "欧阳",
        "司马",
        "上官",
        "诸葛",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "令狐",
        "慕容",
        "长孙",
        "司徒",
        "司空",
        "夏侯",
        "端木",
        "申屠",
        "独孤",
        "南宫",
        "轩辕",
        "宇文",
        "呼延",
        "钟离",
        "闻人",
        "澹台",
        "公冶",
        "宗政",
        "濮阳",
        "淳于",
        "单于",
        "太叔",
        "仲孙",
        "百里",
        "东郭",
        "南门",
        "西门",
        "左丘",
        "梁丘",
        "鲜于",
        "闾丘",
        "赫连",
        "公羊",
        "拓跋",
        "完颜",
        "纳兰",
        "万俟",
        "第五",
    ]
)

SURNAME_SOUNDS = {
    "单": "shan",
    "解": "xie",
    "曾": "zeng",
    "查": "zha",
    "翟": "zhai",
    "区": "ou",
    "仇": "qiu",
    "朴": "piao",
    "任": "ren",
    "盖": "ge",
    "乐": "yue",
    "缪": "miao",
    "尉迟": "yu chi",
    "万俟": "mo qi",
    "单于": "chan yu",
    "长孙": "zhang sun",
    "澹台": "tan tai",
    "冼": "xian",
    "佟": "tong",
    "覃": "qin",
    "谌": "chen",
    "逄": "pang",
    "乜": "nie",
    "员": "yun",
    "秘": "bi",
    "折": "she",
    "黑": "he",
    "召": "shao",
    "种": "chong",
    "洗": "xian",
    "那": "na",
    "宁": "ning",
    "过": "guo",
    "应": "ying",
    "华": "hua",
    "卜": "bu",
    "臧": "zang",
    "隗": "wei",
    "訾": "zi",
    "阚": "kan",
    "贲": "ben",
    "郗": "xi",
    "车": "che",
    "葛": "ge",
    "石": "shi",
    "柏": "bai",
    "费": "fei",
    "俞": "yu",
    "尹": "yin",
    "重": "chong",
    "令狐": "ling hu",
}
"""Readings pinyin tables give wrongly, or doubtfully, for a character that stands as a surname."""

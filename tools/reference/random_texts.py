"""1,000 texts for the tokenizers' golden ids: words of many scripts with random case, spaces, signs and specials."""

import random

WORDS = """
a photo of cat dog astronaut riding horse painting the sea sunset highly detailed grinning face with smiling eyes flag keycap woman's man's
don't can't it's we're they've I'm she'll he'd o'clock rock'n'roll quick brown fox jumps over lazy diffusion contrastive reconstruction
naïve café über straße Señor façade Łódź İstanbul ẞ ﬁ ŉ ǅ Ωμέγα ΟΔΥΣΣΕΥΣ ΣΊΣΥΦΟΣ русский ТЕКСТ ёлка Україна հայերեն ქართული עברית
عربى नमस्ते தமிழ் ไทย 日本語 テキスト 漢字 中文 한국어 e\u0301 n\u0303o a\u030a 🇯🇵 ❤️ 😀 👩‍👩‍👧 🏳️‍🌈 ½ ① Ⅳ ² ﷺ ９９ ｆｕｌｌ ℃ ™ µ ß ﬃ ĳ
snake_case kebab-case CamelCase x1y22z333 3.14159 2026-08-01 1,000 $9.99 50% #tag @user https://example.org/a?b=c&d=%20e#f e=mc² foo.bar
""".split()
SIGNS = ["!", "?", "...", ",", ";", ":", "-", "--", "_", "(", ")", "[", "]", "{", "}", "<", ">", "/", "\\", "'", '"', "`", "~", "^", "+", "=", "*", "&", "|", "%", "«", "»", "“", "”", "’", "—", "…", "¿", "、", "。"]
SPACES = [" ", " ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028"]
RANGES = [(0x21, 0x7E), (0xA1, 0x24F), (0x370, 0x3FF), (0x400, 0x45F), (0x900, 0x97F), (0x3041, 0x30FF), (0x4E00, 0x4FFF), (0x2190, 0x22FF), (0x1F300, 0x1F64F)]


def piece(rng, specials):
    kind = rng.random()
    if kind < 0.6:
        word = rng.choice(WORDS)
        return rng.choice([word, word, word, word.upper(), word.title(), word.capitalize()])
    if kind < 0.75:
        return rng.choice(SIGNS) * rng.choice([1, 1, 1, 2, 5])
    if kind < 0.82:
        return str(rng.randrange(10 ** rng.randrange(1, 8)))
    if kind < 0.95 or not specials:
        low, high = rng.choice(RANGES)
        return "".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 6)))
    return rng.choice(specials)


def random_texts(count, specials, seed=1):
    rng = random.Random(seed)
    texts = []
    for index in range(count):
        parts = []
        for _ in range(rng.choice([1, 2, 3, 4, 6, 8])):
            parts.append(piece(rng, specials))
            # Some pieces touch.
            parts.append(rng.choice(SPACES) if rng.random() < 0.8 else "")
        texts.append("".join(parts) if index % 5 == 0 else "".join(parts).strip())
    return texts

"""How many examples Hypothesis tries, where a test says so itself: `quick` shortens every search alike."""

import hypothesis

FEWEST = 5


def examples(thorough: int) -> int:
    """`thorough` in a whole run; under another profile its share of it, as that profile shortens the default."""
    share = hypothesis.settings().max_examples / hypothesis.settings.get_profile("thorough").max_examples
    return max(min(FEWEST, thorough), round(thorough * share))

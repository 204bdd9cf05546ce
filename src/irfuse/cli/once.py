"""Options that a command takes only once."""

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption

from irfuse.errors import ParameterError


class OnceCommand(TyperCommand):
    """A command that refuses an option with one value if it is given several times. The parser would take the last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Check and parse the arguments."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            options = Counter(param for param in order if isinstance(param, TyperOption))
            for option, count in options.items():
                if count > 1 and not option.multiple and not option.is_flag:
                    raise ParameterError(
                        f"{option.opts[0]} is given {count} times; give it once, or run the command once for each value"
                    )
        return super().parse_args(ctx, args)

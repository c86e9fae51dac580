"""Hooks: after a change, the plugins that listen to it run, one after another, while the caller waits.

No time limit, no parallelism within one request, no effect on what was changed. A plugin that cannot be started ends
the row for that event. A plugin is passed over when the chain of calls has been through it ten times already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stashplex.sim.stash.event import HookEvent
from stashplex.sim.stash.launch import Launcher
from stashplex.sim.stash.log import Log
from stashplex.sim.stash.plugin import Operation, Plugin, Shelf
from stashplex.sim.stash.process import StartFailed
from stashplex.sim.stash.session import Session

MAX_DEPTH = 10


@dataclass(slots=True)
class Hooks:
    """Runs the hooks of one server."""

    shelf: Shelf
    launcher: Launcher
    log: Log

    def has_listener(self, events: Iterable[HookEvent]) -> bool:
        """Tell whether any plugin listens to one of these."""
        triggers = {event.trigger for event in events}
        return any(triggers & set(hook.hooks) for plugin in self.shelf.enabled() for hook in plugin.hooks)

    async def fire(self, events: Iterable[HookEvent], session: Session) -> None:
        """Run all hooks of these events, in order. Cancelling kills the running one and skips the rest."""
        for event in events:
            try:
                await self._fire_one(event, session)
            except StartFailed as error:
                self.log.write("Error", f"error executing post hooks: {error}")

    async def _fire_one(self, event: HookEvent, session: Session) -> None:
        for plugin in self.shelf.enabled():
            hooks = [hook for hook in plugin.hooks for trigger in hook.hooks if trigger == event.trigger]
            if session.chain.count((plugin.id, event.trigger)) >= MAX_DEPTH:
                if hooks:
                    self.log.write("Debug", f"plugin ID '{plugin.id}' already triggered, not re-triggering")
                continue
            for hook in hooks:
                await self._run(plugin, hook, event, session.below(plugin.id, event.trigger))

    async def _run(self, plugin: Plugin, hook: Operation, event: HookEvent, session: Session) -> None:
        args = {**hook.default_args, "hookContext": _hook_context(event)}
        output = await self.launcher.run(plugin, session, args, exec_args=hook.exec_args)
        if output.error is not None:
            self.log.write("Error", f"{plugin.name} [{hook.name}]: returned error: {output.error}")
        elif output.output is not None:
            self.log.write("Debug", f"{plugin.name} [{hook.name}]: returned: {output.output}")


def _hook_context(event: HookEvent) -> dict[str, Any]:
    context: dict[str, Any] = {"type": event.trigger, "input": event.input}
    if event.id:
        context = {"id": event.id, **context}
    if event.fields:
        context["inputFields"] = list(event.fields)
    return context

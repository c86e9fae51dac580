"""Tasks and operations of plugins: the ways to run one on purpose.

A plugin's task that fails still ends as FINISHED; only one that cannot be found or started is FAILED. An operation
runs beside the queue, inside its request, and ends with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stashplex.sim.stash.job import Job, JobFailed, Jobs
from stashplex.sim.stash.launch import Launcher
from stashplex.sim.stash.log import Log
from stashplex.sim.stash.plugin import Operation, Plugin, Shelf
from stashplex.sim.stash.process import StartFailed
from stashplex.sim.stash.refusal import InternalSystemError, RequestRefused
from stashplex.sim.stash.session import Session


@dataclass(slots=True)
class Tasks:
    """Runs plugins as jobs and as operations."""

    shelf: Shelf
    launcher: Launcher
    jobs: Jobs
    log: Log

    def queue(
        self, plugin_id: str, name: str | None, args: Mapping[str, Any], session: Session, shown: str = ""
    ) -> Job:
        """Queue a plugin's task, or the plugin with bare arguments when no task is named."""

        async def work(job: Job) -> None:
            await self._run(job, plugin_id, name, args, session)

        return self.jobs.add(f"Running plugin task: {shown or name or plugin_id}", work)

    async def operate(self, plugin_id: str, args: Mapping[str, Any], session: Session) -> Any:
        """Run a plugin at once and return its output. Raises: RequestRefused."""
        plugin = self.shelf.find(plugin_id)
        if plugin is None:
            raise InternalSystemError
        self._need_enabled(plugin)
        try:
            output = await self.launcher.run(plugin, session, args)
        except StartFailed as error:
            raise RequestRefused(str(error)) from error
        if output.error is not None:
            raise RequestRefused(output.error)
        return output.output

    async def _run(self, job: Job, plugin_id: str, name: str | None, args: Mapping[str, Any], session: Session) -> None:
        plugin = self.shelf.find(plugin_id)
        if plugin is None:
            message = f"no plugin with ID {plugin_id}"
            raise JobFailed(message)
        self._need_enabled(plugin)
        task = _find_task(plugin, name)
        whole = {**task.default_args, **args}
        try:
            output = await self.launcher.run(
                plugin,
                session,
                whole,
                exec_args=task.exec_args,
                on_progress=lambda progress: self.jobs.report(job, progress),
            )
        except StartFailed as error:
            raise JobFailed(str(error)) from error
        if output.error is not None:
            self.log.write("Error", f"Plugin returned error: {output.error}")
        elif output.output is not None:
            self.log.write("Debug", f"Plugin returned: {output.output}")

    def _need_enabled(self, plugin: Plugin) -> None:
        if not self.shelf.is_enabled(plugin):
            message = f"plugin {plugin.id} is disabled"
            raise RequestRefused(message)


def _find_task(plugin: Plugin, name: str | None) -> Operation:
    if not name:
        return Operation(name="")
    task = next((each for each in plugin.tasks if each.name == name), None)
    if task is None:
        message = f"no task with name {name} in plugin {plugin.name}"
        raise JobFailed(message)
    return task

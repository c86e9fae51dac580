// The chip on a scene's page: where the scene stands in Plex, why, the way there, and "Sync now".
//
// Plain JavaScript on Stash's PluginApi, no build step, no other origin: everything goes through runPluginOperation.
// Invariants: a page that is looked at without change asks once; a page that waits for something asks less and less
// often and then stops; a failure is shown on the chip and nowhere else.
(function () {
  "use strict";

  const api = window.PluginApi;
  if (!api || !api.patch || !api.libraries || !api.libraries.Apollo) return;

  const { React } = api;
  const { Apollo, Bootstrap } = api.libraries;
  const h = React.createElement;

  const PLUGIN = "stashplex";
  // Waits between two looks while something is on its way, in ms. After the last one the page is left alone.
  const WAITS = [1000, 2000, 4000, 8000, 15000, 30000, 60000];
  // A save is followed by the hook and by a write to Plex; the first look comes after both, in ms.
  const AFTER_SAVE = 1200;
  const OPERATION = Apollo.gql`
    mutation StashplexOperation($plugin_id: ID!, $args: Map) {
      runPluginOperation(plugin_id: $plugin_id, args: $args)
    }
  `;

  const LOOKS = {
    in_step: { words: () => "in step", color: "success" },
    waiting: { words: () => "waiting", color: "info" },
    retrying: { words: (chip) => (chip.at ? `retrying at ${clock(chip.at)}` : "retrying"), color: "warning" },
    needs_you: { words: () => "needs you", color: "danger" },
    unknown: { words: () => "not seen yet", color: "secondary" },
    failed: { words: () => "no answer", color: "secondary" },
    asking: { words: () => "…", color: "secondary" },
  };
  const ON_ITS_WAY = new Set(["waiting", "retrying", "unknown"]);

  function clock(text) {
    const moment = new Date(text);
    if (Number.isNaN(moment.getTime())) return "a later time";
    const isToday = moment.toDateString() === new Date().toDateString();
    const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    return isToday ? time : `${moment.toLocaleDateString()} ${time}`;
  }

  // Returns the plugin's answer, or throws an Error whose message is meant for a person.
  async function operate(args) {
    const client = api.utils.StashService.getClient();
    const answer = await client.mutate({
      mutation: OPERATION,
      variables: { plugin_id: PLUGIN, args },
      fetchPolicy: "no-cache",
    });
    const output = answer.data && answer.data.runPluginOperation;
    if (!output || typeof output !== "object") throw new Error(output ? String(output) : "The plugin said nothing.");
    return output;
  }

  // Only addresses that a browser may open as a page become links.
  function isPage(url) {
    return typeof url === "string" && /^https?:\/\//i.test(url);
  }

  // Knows how one scene stands: `chip`, `isBusy` while a sync was asked for, `sync` to ask for one.
  function useStanding(sceneId, updatedAt) {
    const [chip, setChip] = React.useState({ state: "asking" });
    const [isBusy, setBusy] = React.useState(false);
    const current = React.useRef({ timer: 0, turn: 0, tries: 0, seen: null });

    const look = React.useCallback(
      async function look() {
        const mine = current.current;
        const turn = ++mine.turn;
        window.clearTimeout(mine.timer);
        let next;
        try {
          next = await operate({ mode: "scene", id: sceneId });
        } catch (error) {
          next = { state: "failed", reason: error.message };
        }
        if (mine.turn !== turn) return;
        setChip(next);
        if (ON_ITS_WAY.has(next.state) && mine.tries < WAITS.length) later(look, WAITS[mine.tries++]);
      },
      [sceneId]
    );

    // Waits, and while the page is hidden waits for it to be shown again.
    function later(act, wait) {
      const mine = current.current;
      window.clearTimeout(mine.timer);
      mine.timer = window.setTimeout(() => {
        if (document.visibilityState === "visible") act();
        else document.addEventListener("visibilitychange", act, { once: true, signal: mine.gone.signal });
      }, wait);
    }

    React.useEffect(() => {
      const mine = current.current;
      const isSaved = mine.seen === sceneId;
      mine.seen = sceneId;
      mine.tries = 0;
      mine.gone = new AbortController();
      if (isSaved) {
        later(look, AFTER_SAVE);
      } else {
        setChip({ state: "asking" });
        look();
      }
      return () => {
        window.clearTimeout(mine.timer);
        mine.gone.abort();
        mine.turn++;
      };
    }, [sceneId, updatedAt, look]);

    async function sync() {
      const mine = current.current;
      setBusy(true);
      try {
        await operate({ mode: "sync_scene", id: sceneId });
        mine.tries = 0;
        setChip((before) => ({ ...before, state: "waiting", reason: null }));
        later(look, WAITS[0]);
      } catch (error) {
        setChip({ state: "failed", reason: error.message });
      } finally {
        setBusy(false);
      }
    }

    return { chip, isBusy, sync };
  }

  function Chip({ scene }) {
    const { chip, isBusy, sync } = useStanding(scene.id, scene.updated_at);
    const { words, color } = LOOKS[chip.state] || LOOKS.failed;
    const text = `Plex: ${words(chip)}`;
    const links = (chip.links || []).filter((link) => isPage(link.url));
    const popover = h(
      Bootstrap.Popover,
      { id: "stashplex-popover", className: "stashplex-popover" },
      h(Bootstrap.Popover.Title, { as: "h3" }, text),
      h(
        Bootstrap.Popover.Content,
        null,
        chip.reason ? h("p", { className: "stashplex-reason" }, chip.reason) : null,
        links.map((link) =>
          h(
            "p",
            { key: link.url },
            h("a", { href: link.url, target: "_blank", rel: "noopener noreferrer" }, "Open in Plex"),
            links.length > 1 && link.file ? ` (${link.file.split(/[\\/]/).pop()})` : null
          )
        ),
        h(Bootstrap.Button, { size: "sm", disabled: isBusy, onClick: sync }, isBusy ? "Asking …" : "Sync now")
      )
    );
    return h(
      Bootstrap.Nav.Item,
      { className: "stashplex" },
      h(
        Bootstrap.OverlayTrigger,
        { trigger: "click", placement: "bottom", rootClose: true, overlay: popover },
        h(
          "button",
          {
            type: "button",
            className: `stashplex-chip badge badge-${color}`,
            title: chip.reason || text,
            "data-state": chip.state,
            "aria-live": "polite",
          },
          text
        )
      )
    );
  }

  api.patch.before("ScenePage.Tabs", function (props) {
    const chip = props.scene && props.scene.id ? h(Chip, { key: PLUGIN, scene: props.scene }) : null;
    return [{ ...props, children: h(React.Fragment, null, props.children, chip) }];
  });
})();

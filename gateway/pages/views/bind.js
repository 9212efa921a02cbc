// Step 1, bind: relation and relative, documents, commitment, check, and what became of it.
// A clerk walks the same steps for a donor at the counter.

import { h, put } from "../app/dom.js";
import { problemBox } from "../app/forms.js";
import { kept } from "../app/kept.js";
import { forgetHousehold, personOf, policyOf, regionOf } from "../app/people.js";
import { send } from "../app/sending.js";
import { who } from "../app/session.js";
import { t } from "../app/words.js";
import { application, channelOf } from "./bind-application.js";
import { checkStep } from "./bind-check.js";
import { commitmentStep } from "./bind-commitment.js";
import { documentsStep } from "./bind-documents.js";
import { relativeStep } from "./bind-relative.js";
import { resultPanel } from "./bind-result.js";

const drafts = new Map(); // by donor: kept while the page lives, so that nothing is typed twice
const KEPT = "gongji.draft."; // of a citizen also in the tab: a phone may end a page that went to the camera

export async function show({ signal }) {
  return wizard({ donorId: who().subject, signal });
}

/** The whole way for one donor; `done(answer)` instead of the result, where given. */
export async function wizard({ donorId, atCounter = false, signal, level = "h1" }) {
  const donor = await personOf(donorId, signal);
  const policy = await policyOf(regionOf(donor));
  if (!drafts.has(donorId)) drafts.set(donorId, (!atCounter && kept(KEPT + donorId)) || { at: 0, documents: [], confirmations: [] });
  const keep = () => !atCounter && drafts.has(donorId) && store(donorId, drafts.get(donorId));
  document.addEventListener("visibilitychange", keep, { signal });
  const context = { donor, policy, atCounter, draft: drafts.get(donorId), channel: channelOf(policy, atCounter), signal };
  const steps = [relativeStep, documentsStep, commitmentStep, checkStep].filter((one) => one.isNeeded(context));
  const panel = h("div", {});
  const node = h("div", {}, h(level, {}, t("bind-title")), panel);

  function draw(focus) {
    const { draft } = context;
    draft.at = Math.min(draft.at, steps.length - 1);
    const step = steps[draft.at];
    const heading = h("h2", { tabindex: -1 }, t("step-of", { at: draft.at + 1, of: steps.length }), t(step.title));
    put(panel,
      h("ol", { class: "progress" }, steps.map((one, place) =>
        h("li", { "aria-current": place === draft.at ? "step" : undefined, class: place < draft.at ? "past" : "" }, t(one.title)))),
      heading,
      step.show(context, {
        next: () => to(draft.at + 1),
        back: draft.at > 0 && (() => to(draft.at - 1)),
        change: (name) => to(steps.findIndex((one) => one.title === name)),
        submit,
      }));
    if (focus) heading.focus();
  }
  function to(place) {
    context.draft.at = place;
    keep();
    draw(true);
  }
  async function submit() {
    const answer = await send(`bind:${donorId}`, "POST", "/v1/bindings", application(context));
    drafts.delete(donorId);
    sessionStorage.removeItem(KEPT + donorId);
    forgetHousehold();
    put(panel, resultPanel(answer, context));
    panel.firstElementChild.focus();
  }
  if (!context.channel) put(panel, problemBox({ status: 400, title: t("refused"), detail: t("no-channel") }));
  else draw(false);
  return node;
}

/** What a draft says, without the pictures themselves: what is uploaded is known by its id. */
function store(donorId, draft) {
  const documents = draft.documents.map(({ kind, of, id }) => ({ kind, of, id }));
  sessionStorage.setItem(KEPT + donorId, JSON.stringify({ ...draft, documents }));
}

// The second step of binding: photographs of what the donor's region asks for, each uploaded as soon
// as it is chosen. The same file keeps its request_id, so a broken upload that is repeated is one.

import { upload } from "../app/api.js";
import { h, newId, put, speak } from "../app/dom.js";
import { action, showProblem } from "../app/forms.js";
import { newRequestId } from "../app/sending.js";
import { t, term } from "../app/words.js";

const TYPES = ["image/jpeg", "image/png", "application/pdf"];
const MOST_BYTES = 10 * 1024 * 1024;

export const documentsStep = {
  title: "bind-documents",
  isNeeded: ({ policy }) => rulesOf(policy).length > 0,
  show(context, { next, back }) {
    const { policy, draft, signal } = context;
    const problems = h("div", {});
    const places = rulesOf(policy).map((rule, place) => {
      draft.documents[place] ??= { kind: rule.any_of[0], of: rule.of };
      return placeFor(rule, draft.documents[place], signal);
    });
    const go = () => {
      const open = draft.documents.findIndex((one) => !one.id);
      if (open < 0) return next();
      throw { status: 400, title: t("refused"), detail: t("upload-all") };
    };
    return h("div", {},
      h("p", { class: "soft" }, t("documents-lead")), problems, h("div", { class: "places" }, places),
      h("div", { class: "buttons" },
        action(t("next"), go, { kind: "main", problems }),
        back && action(t("back"), back, { problems })));
  },
};

/** Ids of what was uploaded. */
export function keptDocuments(draft) {
  return draft.documents.map((one) => one.id).filter(Boolean);
}

function rulesOf(policy) {
  return policy.values["binding.documents"] ?? [];
}

function placeFor(rule, document, signal) {
  const problems = h("div", {});
  const picture = h("div", { class: "picture" });
  const meter = h("progress", { max: 100, value: 0, hidden: true, "aria-label": t("uploading") });
  const state = h("p", { class: "soft small" });
  const id = newId("file");
  const file = h("input", { type: "file", id, class: "unseen", accept: TYPES.join(","), onchange: () => file.files[0] && take(file.files[0]) });
  const again = action(t("again"), () => send(), { problems });
  again.hidden = true;

  function draw() {
    const isPicture = document.file?.type.startsWith("image/");
    document.url ??= isPicture ? URL.createObjectURL(document.file) : undefined;
    put(picture, document.url ? h("img", { src: document.url, alt: label() }) : h("span", { class: "soft" }, document.file?.name ?? (document.id ? t("kept-file") : t("no-file"))));
    put(state, document.id ? h("span", { class: "good" }, t("uploaded")) : "");
  }
  function label() {
    return `${term("DOCUMENT_KIND", document.kind)} · ${term("DOCUMENT_OF", rule.of)}`;
  }
  async function take(chosen) {
    if (document.url) URL.revokeObjectURL(document.url);
    Object.assign(document, { file: chosen, id: "", url: undefined, requestId: newRequestId() });
    draw();
    put(problems);
    if (!TYPES.includes(chosen.type)) return refuse("document-type");
    if (chosen.size > MOST_BYTES) return refuse("document-large");
    await send().catch((problem) => showProblem(problems, problem));
    return undefined;
  }
  function refuse(text) {
    showProblem(problems, { status: 400, title: t("refused"), detail: t(text) });
  }
  async function send() {
    meter.hidden = false;
    meter.value = 0;
    again.hidden = true;
    put(problems);
    const query = { kind: `DOCUMENT_KIND_${document.kind}`, of: `DOCUMENT_OF_${document.of}`, request_id: document.requestId };
    const { requestId } = document;
    try {
      const answer = await upload("/v1/documents", query, document.file, (part) => {
        meter.value = Math.round(part * 100);
      }, signal);
      if (requestId === document.requestId) document.id = answer.document_id;
      speak(t("uploaded"));
    } catch (problem) {
      again.hidden = false;
      throw problem;
    } finally {
      meter.hidden = true;
      draw();
    }
  }
  draw();
  const kinds = rule.any_of.length > 1 && h("select", {
    "aria-label": t("document-kind"),
    onchange: (event) => {
      document.kind = event.target.value;
      if (document.file) take(document.file);
    },
  }, rule.any_of.map((kind) => h("option", { value: kind, selected: kind === document.kind }, term("DOCUMENT_KIND", kind))));
  return h("div", { class: "card place" },
    h("label", { for: id }, kinds ? term("DOCUMENT_OF", rule.of) : label()), kinds, picture, file,
    h("label", { for: id, class: "button" }, t("choose-file")), meter, state, problems, again);
}

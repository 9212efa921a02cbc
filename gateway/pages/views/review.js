// The review: what waits, oldest first, and one application with its documents side by side.

import { all, fetched, get } from "../app/api.js";
import { isoOf, moment } from "../app/dates.js";
import { h } from "../app/dom.js";
import { action, field, form, problemBox, showProblem } from "../app/forms.js";
import { go } from "../app/router.js";
import { send } from "../app/sending.js";
import { isEnglish, t, term } from "../app/words.js";

const TOO_LATE = ["BINDING_NOT_PENDING", "APPLICATION_EXPIRED"]; // decided or over meanwhile

export async function show({ params: [id], signal }) {
  return id ? application(id, signal) : queue();
}

async function queue() {
  const waiting = await all("/v1/bindings", { states: "BINDING_STATE_PENDING_REVIEW" }, "bindings");
  const items = waiting.map((one) => h("li", {}, h("a", { class: "card step", href: `#/review/${one.binding_id}` },
    h("span", {}, h("strong", {}, `${one.donor_name} → ${one.beneficiary_name}`),
      h("small", {}, apart(one).join(" · "))),
    h("span", { class: "go" }, t("open")))));
  return h("div", {}, h("h1", {}, t("tab-review")), h("p", { class: "soft" }, t("waiting", { count: waiting.length })),
    items.length ? h("ol", { class: "plain" }, items) : h("p", { class: "box fine" }, t("queue-empty")));
}

/** What tells applications of people with the same masked names apart. */
function apart(one) {
  const certificate = one.beneficiary_identity?.certificate.number.slice(-4);
  const phone = one.beneficiary_phone.slice(-4);
  return [
    `${t("relation")}${isEnglish() ? " " : ""}${term("RELATION", one.relation)}`, moment(one.created_at), term("CHANNEL", one.channel),
    certificate && t("certificate-end", { end: certificate }), phone && t("phone-end", { phone }), t("number-end", { end: one.binding_id.slice(-6) }),
  ].filter(Boolean);
}

/** One application; `late` is a refusal that came because somebody else was first. */
async function application(id, signal, late) {
  const { binding } = await get(`/v1/bindings/${id}`, {}, signal);
  const isOpen = binding.state === "BINDING_STATE_PENDING_REVIEW";
  return h("div", { class: "wide" },
    h("h1", {}, t("application")),
    late && problemBox(late),
    h("div", { class: "sides" },
      identity("donor-side", binding.donor_identity, binding.donor_name),
      identity("beneficiary-side", binding.beneficiary_identity, binding.beneficiary_name)),
    h("dl", { class: "facts" }, facts(binding).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    h("h2", {}, t("documents")),
    h("div", { class: "papers" }, binding.documents.map((one) => document_(one, signal))),
    isOpen ? decision(binding, signal) : h("p", { class: "box note" }, term("BINDING_STATE", binding.state)),
    h("a", { class: "button", href: "#/review" }, t("to-queue")));
}

function identity(key, who, masked) {
  return h("section", { class: "card" }, h("h2", {}, t(key)),
    h("p", { class: "big" }, who?.name ?? masked),
    who && h("p", { class: "big number" }, who.certificate.number),
    who && h("p", { class: "soft" }, term("CERTIFICATE_TYPE", who.certificate.type)));
}

function facts(binding) {
  return [
    ["relation", term("RELATION", binding.relation)],
    ["from", isoOf(binding.effective_from)],
    ["to", isoOf(binding.effective_to)],
    ["used-for", binding.uses.map((one) => term("USE", one)).join("、")],
    ["channel", term("CHANNEL", binding.channel)],
    ["applied-by", term("ROLE", binding.created_by?.role)],
    ["applied-at", moment(binding.created_at)],
    ["commitment", binding.commitment && `${binding.commitment.text_version} · ${moment(binding.commitment.accepted_at)}`],
    ["number", binding.binding_id],
  ].filter(([, value]) => value);
}

/** One document, shown from a blob that lives as long as the page. */
function document_(one, signal) {
  const label = `${term("DOCUMENT_OF", one.of)} · ${term("DOCUMENT_KIND", one.kind)}`;
  const place = h("div", { class: "picture" }, h("p", { class: "wait" }, t("loading")));
  fetched("GET", `/v1/documents/${one.document_id}`, { signal }).then(async (response) => {
    const url = URL.createObjectURL(await response.blob());
    signal.addEventListener("abort", () => URL.revokeObjectURL(url));
    const link = h("a", { href: url, target: "_blank", rel: "noopener" });
    link.append(one.media_type === "application/pdf" ? t("open-pdf") : h("img", { src: url, alt: label }));
    place.replaceChildren(link);
  }).catch((problem) => showProblem(place, problem));
  return h("figure", { class: "card" }, h("figcaption", {}, label), place);
}

function decision(binding, signal) {
  const reason = field({ name: "reason", label: t("reason"), hint: t("reject-hint"), type: "textarea", maxlength: 500 });
  const decide = (decided) => async () => {
    const body = { decision: `REVIEW_DECISION_${decided}`, reason: reason.read() };
    if (decided === "REJECT" && !body.reason) {
      reason.fail(t("needed"));
      return reason.focus();
    }
    try {
      await send(`review:${binding.binding_id}`, "POST", `/v1/bindings/${binding.binding_id}:review`, body);
    } catch (problem) {
      if (!TOO_LATE.includes(problem.reason)) throw problem;
      const anew = await application(binding.binding_id, signal, problem);
      node.closest(".wide").replaceWith(anew);
      return anew.querySelector("[role=alert]").focus();
    }
    return go("#/review");
  };
  const { node, problems } = form({ fields: [reason], button: t("approve"), send: decide("APPROVE") });
  node.querySelector(".buttons").append(action(t("reject"), decide("REJECT"), { kind: "danger", problems }));
  return node;
}

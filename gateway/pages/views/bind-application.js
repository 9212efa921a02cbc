// What is applied for, out of the draft of a binding.

import { call } from "../app/api.js";
import { keptDocuments } from "./bind-documents.js";

const ORDER = ["WEB", "APP", "MINI_PROGRAM", "ALIPAY", "WECHAT"];

/** The answer to the same application if it were made, without making it; throws the refusal. */
export function checked(context) {
  const body = { ...application(context), request_id: `check-${Date.now()}`, validate_only: true };
  return call("POST", "/v1/bindings", { body, signal: context.signal });
}

/** The channel by which this page applies: the region's website or what is nearest; undefined: none. */
export function channelOf(policy, atCounter) {
  if (atCounter) return policy.channels.find((one) => one.channel === "CHANNEL_COUNTER");
  const named = (name) => policy.channels.find((one) => one.channel === `CHANNEL_${name}`);
  return ORDER.map(named).find(Boolean);
}

/** The application as the contract has it. */
export function application({ donor, policy, draft, channel, atCounter }) {
  const { certificate_type, certificate_number, name, phone, card_no } = draft;
  return {
    donor_id: donor.person_id,
    beneficiary: { certificate: { type: certificate_type, number: certificate_number }, name, phone, card_no },
    relation: draft.relation,
    effective_from: draft.effective_from,
    ...(draft.effective_to && { effective_to: draft.effective_to }),
    uses: draft.uses,
    ...(draft.limits && { limits: draft.limits }),
    ...(policy.commitment && draft.accepted_at && {
      commitment: { text_version: draft.accepted_version, accepted_at: draft.accepted_at },
    }),
    document_ids: keptDocuments(draft),
    channel: channel.channel,
    ...(atCounter && { certificates_seen: Boolean(draft.certificates_seen) }),
    confirmations: draft.confirmations,
  };
}

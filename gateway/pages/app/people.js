// Who is looked at, where they are insured, and what the rules there say.

import { all, get } from "./api.js";
import { learnDay } from "./dates.js";
import { who } from "./session.js";
import { t, term } from "./words.js";

const policies = new Map();

/** One person's record. */
export async function personOf(id, signal) {
  return (await get(`/v1/persons/${id}`, {}, signal)).person;
}

/** The region whose rules hold for a donor: where employed, else insured, else registered. */
export function regionOf(person) {
  const enrolments = person.enrolments.filter((one) => one.periods.at(-1).status === "INSURED_STATUS_NORMAL");
  const employed = enrolments.find((one) => one.insurance === "INSURANCE_EMPLOYEE");
  return (employed ?? enrolments[0])?.region ?? person.home_region;
}

/** The rules of a region in force today; `values` by key, read from their JSON. */
export function policyOf(region) {
  if (!policies.has(region)) {
    const asked = get(`/v1/policies/${region}`).then(({ policy }) => {
      learnDay(policy.on_date);
      const values = Object.fromEntries(policy.values.map((one) => [one.key, JSON.parse(one.value)]));
      return { ...policy, values };
    });
    asked.catch(() => policies.delete(region));
    policies.set(region, asked);
  }
  return policies.get(region);
}

let names; // of regions, by code

/** The names of the regions served: a Map by code. */
export function regionNames() {
  names ??= all("/v1/policies", {}, "policies").then((found) => new Map(found.map((one) => [one.region, one.region_name])));
  names.catch(() => {
    names = undefined;
  });
  return names;
}

/** Bindings of a donor or a beneficiary, in the order in which they were applied for. */
export function bindingsOf(query, signal) {
  return all("/v1/bindings", query, "bindings", 5000).then((found) => {
    signal?.throwIfAborted();
    return found;
  });
}

/** Whether a binding is not over. */
export function isCurrent(binding) {
  return ["PENDING_REVIEW", "ACTIVE", "SUSPENDED"].includes(binding.state.replace("BINDING_STATE_", ""));
}

/** What names one of several relatives whose names are masked alike. */
export function nameOf(binding) {
  const phone = binding.beneficiary_phone?.slice(-4);
  return `${binding.beneficiary_name}（${term("RELATION", binding.relation)}${phone ? ` · ${t("phone-end", { phone })}` : ""}）`;
}

/** Donors' masked names by binding id; those that look alike are numbered in this order, as on receipts. */
export function donorNames(bindings) {
  const seen = new Map();
  const count = (name) => bindings.filter((one) => one.donor_name === name).length;
  return new Map(bindings.map(({ binding_id, donor_name: name }) => {
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return [binding_id, count(name) > 1 ? `${name}（${seen.get(name)}）` : name];
  }));
}

let wards; // of whoever is signed in: [{id, name}]

/** The signed-in person and their wards: those bound to them whose records they may read. */
export async function household(signal) {
  const { subject } = who();
  if (wards) return wards;
  const [me, bindings] = await Promise.all([personOf(subject, signal), bindingsOf({ donor_id: subject }, signal)]);
  const ids = [...new Set(bindings.filter(mayBeWard).map((one) => one.beneficiary_id))];
  const records = await Promise.allSettled(ids.map((id) => personOf(id, signal)));
  const found = records.filter((one) => one.status === "fulfilled").map((one) => one.value);
  wards = [me, ...found].map((one) => ({ id: one.person_id, name: one.name, isMe: one.person_id === subject }));
  return wards;
}

/** Forgets the household, after somebody was bound. */
export function forgetHousehold() {
  wards = undefined;
}

/** Mostly children, and who is in another's care; asking about a spouse would only be refused. */
function mayBeWard(binding) {
  return ["RELATION_CHILD", "RELATION_GRANDCHILD", "RELATION_SIBLING"].includes(binding.relation);
}

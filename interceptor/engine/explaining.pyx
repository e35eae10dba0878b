# What a call met, in words (contract: explaining.pxd). Nothing here runs for a call that is decided.
from libc.stdint cimport uint32_t

from interceptor.engine.keys cimport Secret
from interceptor.engine.prefixes cimport PrefixRoot
from interceptor.engine.snapshot cimport Lookup
from interceptor.engine.types cimport Field, Number

from interceptor.engine import domains, trace
from interceptor.engine.answers import Decision, ListTrace, NumberTrace
from interceptor.engine.keys import key_digits_of
from interceptor.engine.spec import field_name
from interceptor.engine.types import BlockClass, NumberStatus, Verdict


cdef object number_read(NumberingPlan plan, const Call* c, int field):
    cdef const Number* n = &c.number[field]
    return NumberTrace(field_name(field), NumberStatus(n.status).name.removeprefix("NUMBER_").lower(),
                       n.text[:n.length].decode(), bool(n.valid), plan.regions[n.region],
                       plan.type_names[n.type])


cdef list entries_met(SnapshotHolder snapshot, RecentTable added, const Worker* w, const Call* c, Millis now):
    cdef uint32_t k
    cdef const Lookup* look
    secret = (<const char*> &snapshot.c.intake.secret)[:sizeof(Secret)]
    tables, found = snapshot.lists.tables, []
    for k in range(snapshot.c.n_lookups):
        look = &snapshot.c.lookups[k]
        if c.key[look.field] == 0:
            continue
        if look.root == PrefixRoot.ROOT_NUMBER:
            text = c.number[look.field].text[:c.number[look.field].length]
        elif look.root != PrefixRoot.N_ROOTS:
            text = key_digits_of(c.key[look.field])
        else:
            text = c.text[look.field].data[:c.text[look.field].length]
        entries = [(text, tables.table.find(c.key[look.field]))]
        if look.domain:
            entries = domains.matches(tables.table, secret, text)
        elif look.network:
            entries = [(trace.network(address, length), bitmap)
                       for address, length, bitmap in tables.networks.matches(text)]
        elif look.root != PrefixRoot.N_ROOTS and (look.root != PrefixRoot.ROOT_NUMBER or text.startswith(b"+")):
            plus, digits = text[:1] if text.startswith(b"+") else b"", text.removeprefix(b"+")
            entries += [(plus + digits[:length] + b"*", bitmap)
                        for length, bitmap in tables.trie.matches(look.root, digits)]
        if look.pairs and c.key[<int> Field.F_CALLEE]:
            callee = c.number[<int> Field.F_CALLEE].text[:c.number[<int> Field.F_CALLEE].length]
            entries.append((callee + b":" + text,
                            tables.pairs.find(c.key[<int> Field.F_CALLEE], c.key[<int> Field.F_CALLER])))
        for i, described in enumerate(snapshot.spec.lists):
            if not (w.frame.bitmap[look.field] >> i) & 1:
                continue
            field, name = field_name(look.field), described.name
            found += [ListTrace(field, name, entry.decode(), None) for entry, bitmap in entries if bitmap >> i & 1]
            until = added.until(c.key[look.field], snapshot.c.list_identity[i], now)
            if until is not None and (look.dynamic >> i) & 1:
                found.append(ListTrace(field, name, text.decode(), until))
    return found


cdef object decision(spec, CDecision out):
    return Decision(f"{out.id:016x}", Verdict(out.verdict), trace.rule_id(spec, out.rule), out.rule,
                    BlockClass(out.block_class), out.revision, bool(out.repeated),
                    () if spec is None else trace.shadow_ids(spec, out.shadow), out.errors)

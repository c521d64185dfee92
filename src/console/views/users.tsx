import type { User } from "../../users/user.ts";
import type { Api } from "../api.ts";
import { useList } from "../load.ts";
import { UserLink } from "../parts/id.tsx";
import { FilterField, Filters, List, Table } from "../parts/list.tsx";
import { Heading } from "../parts/page.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { withQuery } from "../withQuery.ts";

const EVERY_MS = 10_000;

export function UsersView({ api, place }: { api: Api; place: Place }) {
  const { prefix = "" } = place.query;
  const list = useList<User>(api, withQuery("/api/users/", { user_id_prefix: prefix }), EVERY_MS);
  return (
    <>
      <Heading title="Users">{prefix !== "" && <a href={addressOf(["users"])}>Clear filters</a>}</Heading>
      <Filters isFiltered={prefix !== ""}>
        <FilterField
          label="Id begins with"
          value={prefix}
          onValue={(value) => go(["users"], { prefix: value })}
        />
      </Filters>
      <List
        list={list}
        empty={
          prefix === ""
            ? "No users yet. The first ping of a user creates it."
            : "No user id begins with this text. Upper and lower case differ."
        }
      >
        {(rows) => (
          <Table label="Users" head={["User", "Last ping", "First ping"]}>
            {rows.map((user) => (
              <tr key={user.user_id}>
                <td class="main">
                  <UserLink id={user.user_id} />
                </td>
                <td>
                  <When at={user.last_ping_at} isStill />
                </td>
                <td>
                  <When at={user.created_at} isStill />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </>
  );
}

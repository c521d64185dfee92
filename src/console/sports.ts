/** Names of the sports that a filter offers: those of the FIT profile. A test compares them with `SPORT_NAMES`. */
export const SPORTS: readonly string[] = (
  "all alpine_skiing american_football archery baseball basketball boating boxing canoeing cricket " +
  "cross_country_skiing cycling dance disc_golf diving driving e_biking fishing fitness_equipment " +
  "floor_climbing flying generic geocaching golf grinding hang_gliding hiit hiking hockey " +
  "horseback_riding hunting ice_skating inline_skating jump_rope jumpmaster kayaking kitesurfing " +
  "lacrosse meditation mixed_martial_arts mobility motor_sports motorcycling mountaineering " +
  "multisport paddling para_sport pool_apnea racket rafting rock_climbing rowing rugby running " +
  "sailing shooting sky_diving snorkeling snowboarding snowmobiling snowshoeing soccer " +
  "stand_up_paddleboarding surfing swimming tactical team_sport tennis training transition " +
  "video_gaming volleyball wakeboarding wakesurfing walking water_skiing water_sport water_tubing " +
  "wheelchair_push_run wheelchair_push_walk windsurfing winter_sport"
).split(" ");
